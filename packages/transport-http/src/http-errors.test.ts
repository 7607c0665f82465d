import { ParsecError } from "@parsec/core";
import { describe, expect, it } from "vitest";
import { failedGet, refusedFrame, unreachable, wasConnectionLost } from "./http-errors.ts";

const peer = "http://owner";
const failed = (code: string): Error => Object.assign(new Error("low-level text"), { code });
const response = (
  status: number,
  text: string,
  headers: Record<string, string> = {},
): Parameters<typeof failedGet>[1] => ({ status, headers, body: Buffer.from(text) });

describe("the error of a failed request", () => {
  it.each([
    [failed("ECONNREFUSED"), "refused"],
    [failed("UND_ERR_SOCKET"), "closed"],
    [failed("ENOTFOUND"), "unknown host name"],
    [failed("HPE_INVALID_CONSTANT"), "is not HTTP"],
    [failed("CERT_HAS_EXPIRED"), "expired"],
    [failed("ESOMETHINGNEW"), "ESOMETHINGNEW"],
    [new ParsecError("MALFORMED_FRAME", "the answers end in the middle of one"), "malformed"],
    [new TypeError("odd"), "TypeError"],
    ["not even an error", "unknown failure"],
  ])("is PEER_UNREACHABLE with its cause for %s", (cause, reason) => {
    const error = unreachable(peer, cause);
    expect(error).toMatchObject({ code: "PEER_UNREACHABLE", cause });
    expect(error.message).toContain(peer);
    expect(error.message).toContain(reason);
  });

  it("allows a retry only when the connection was lost", () => {
    expect(wasConnectionLost(failed("ECONNRESET"))).toBe(true);
    expect(wasConnectionLost(failed("UND_ERR_SOCKET"))).toBe(true);
    expect(wasConnectionLost(failed("ECONNREFUSED"))).toBe(false);
    expect(wasConnectionLost(undefined)).toBe(false);
  });
});

describe("the error of a rejected frame", () => {
  it.each([
    [401, '{"error":"unauthorized","code":"UNAUTHENTICATED","message":"no"}', "PEER_UNREACHABLE"],
    [400, '{"code":"MALFORMED_FRAME","message":"no"}', "PEER_UNREACHABLE"],
    [503, '{"code":"CLOSED","message":"closing"}', "PEER_UNREACHABLE"],
    [503, '{"code":"OVERLOADED","message":"busy"}', "OVERLOADED"],
    [500, "<html>a proxy's</html>", "PEER_UNREACHABLE"],
    [200, "hello from another service", "PEER_UNREACHABLE"],
    [500, '{"code":"MADE_UP"}', "PEER_UNREACHABLE"],
    [500, "null", "PEER_UNREACHABLE"],
  ])("for %d %s is %s", (status, body, code) => {
    expect(refusedFrame(peer, response(status, body)).code).toBe(code);
  });

  it("suggests peerWire when the peer may be a Go groupcache node", () => {
    expect(refusedFrame(peer, response(400, "bad request\n")).message).toContain("peerWire");
  });

  it("truncates a long text", () => {
    const body = JSON.stringify({ code: "MALFORMED_FRAME", message: "x".repeat(3000) });
    expect(refusedFrame(peer, response(400, body)).message.length).toBeLessThan(400);
  });
});

describe("the error of a failed GET", () => {
  it.each([
    [404, "not found\n", { "parsec-code": "NOT_FOUND" }, undefined],
    [404, "no such group: g\n", { "parsec-code": "NO_SUCH_GROUP" }, "NO_SUCH_GROUP"],
    [404, "no such group: g\n", {}, "NO_SUCH_GROUP"],
    [404, "404 page not found\n", {}, "PEER_UNREACHABLE"],
    [404, "<html>not here</html>", { "content-type": "text/html" }, "PEER_UNREACHABLE"],
    [404, "no row 7\n", { "content-type": "text/plain; charset=utf-8" }, undefined],
    [500, "sql: no rows\n", {}, "ORIGIN_FAILED"],
    [503, "sql: no rows\n", { "content-type": "text/plain; charset=utf-8" }, "ORIGIN_FAILED"],
    [503, "<html>", { "content-type": "text/html" }, "PEER_UNREACHABLE"],
    [431, "", {}, "PEER_UNREACHABLE"],
    [414, "", {}, "PEER_UNREACHABLE"],
    [500, "…", { "parsec-code": "CODEC_FAILED" }, "CODEC_FAILED"],
    [504, "late", { "parsec-code": "TIMEOUT" }, "TIMEOUT"],
    [503, "closing", { "parsec-code": "CLOSED" }, "PEER_UNREACHABLE"],
    [500, "…", { "parsec-code": "MADE_UP" }, "ORIGIN_FAILED"],
    [400, "bad request\n", {}, "PEER_UNREACHABLE"],
    [301, "", {}, "PEER_UNREACHABLE"],
    [502, "bad gateway", {}, "PEER_UNREACHABLE"],
  ])("for %d %j %j is %s", (status, text, headers, code) => {
    expect(failedGet(peer, response(status, text, headers))?.code).toBe(code);
  });

  it("contains the text of the getter's error, as with Go", () => {
    expect(failedGet(peer, response(500, "sql: no rows\n"))?.message).toContain("sql: no rows");
  });
});
