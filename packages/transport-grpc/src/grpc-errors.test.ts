import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { ParsecError, type ParsecErrorCode } from "@parsec/core";
import { describe, expect, it } from "vitest";
import {
  errorFromCall,
  NotFound,
  statusOf,
  unreachable,
  wasConnectionLost,
} from "./grpc-errors.ts";

/** A status as received by the client. */
function arrived(code: status, details: string, metadata = new Metadata()): ServiceError {
  return Object.assign(new Error(`${code} ${details}`), { code, details, metadata });
}

const statuses: readonly (readonly [ParsecErrorCode, status])[] = [
  ["INVALID_ARGUMENT", status.INVALID_ARGUMENT],
  ["DUPLICATE_NAME", status.ALREADY_EXISTS],
  ["NO_SUCH_GROUP", status.NOT_FOUND],
  ["INVALID_KEY", status.INVALID_ARGUMENT],
  ["KEY_TOO_LARGE", status.INVALID_ARGUMENT],
  ["VALUE_TOO_LARGE", status.RESOURCE_EXHAUSTED],
  ["ORIGIN_FAILED", status.INTERNAL],
  ["CODEC_FAILED", status.INTERNAL],
  ["TIMEOUT", status.DEADLINE_EXCEEDED],
  ["ABORTED", status.CANCELLED],
  ["PEER_UNREACHABLE", status.FAILED_PRECONDITION],
  ["MALFORMED_FRAME", status.INVALID_ARGUMENT],
  ["FRAME_TOO_LARGE", status.RESOURCE_EXHAUSTED],
  ["UNAUTHENTICATED", status.UNAUTHENTICATED],
  ["OVERLOADED", status.RESOURCE_EXHAUSTED],
  ["CLOSED", status.UNAVAILABLE],
];

describe("the status of an error", () => {
  it.each(statuses)("for %s is %d, with the code in a trailer", (code, expected) => {
    const { code: reported, details, metadata } = statusOf(new ParsecError(code, "the reason"));
    expect([reported, details]).toEqual([expected, "the reason"]);
    expect(metadata.get("parsec-code")).toEqual([code]);
  });

  it("does not reveal the message of an unexpected error", () => {
    const { code, details, metadata } = statusOf(new RangeError("password=hunter2"));
    expect(code).toBe(status.INTERNAL);
    expect(details).not.toContain("hunter2");
    expect(metadata.get("parsec-code")).toEqual(["ORIGIN_FAILED"]);
  });

  it("distinguishes a missing value from an unknown group", () => {
    const missingKey = statusOf(new NotFound("key not found"));
    const missingGroup = statusOf(new ParsecError("NO_SUCH_GROUP", "no such group: g"));
    expect([missingKey.code, missingGroup.code]).toEqual([status.NOT_FOUND, status.NOT_FOUND]);
    expect(missingKey.metadata.get("parsec-code")).toEqual(["NOT_FOUND"]);
    expect(missingKey.details).not.toBe(missingGroup.details);
  });

  it("has short details without lone surrogates, on which gRPC throws", () => {
    const { details } = statusOf(
      new ParsecError("ORIGIN_FAILED", `\udcff${"x".repeat(510)}🦉 and so on`),
    );
    expect(details.length).toBeLessThanOrEqual(512);
    expect(() => encodeURI(details)).not.toThrow();
    expect(details.startsWith("\ufffdxxx")).toBe(true);
    expect(statusOf(new ParsecError("ORIGIN_FAILED", "🦉")).details).toBe("🦉");
  });
});

describe("the error of a failed call", () => {
  it.each(statuses.filter(([code]) => code !== "OVERLOADED" && code !== "TIMEOUT"))(
    "turns %s into PEER_UNREACHABLE with its cause",
    (code) => {
      const { code: reported, details, metadata } = statusOf(new ParsecError(code, "the reason"));
      expect(errorFromCall("node-2:1", arrived(reported, details, metadata))).toMatchObject({
        code: "PEER_UNREACHABLE",
        message: `node-2:1 is unreachable: ${code}: the reason`,
        cause: { code },
      });
    },
  );

  it.each(["OVERLOADED", "TIMEOUT"] as const)("keeps %s", (code) => {
    const { code: reported, details, metadata } = statusOf(new ParsecError(code, "the reason"));
    expect(errorFromCall("node-2:1", arrived(reported, details, metadata)).code).toBe(code);
  });

  it.each([
    [status.UNAVAILABLE, "Last error: connect ECONNREFUSED 127.0.0.1:1", "connection refused"],
    [status.UNAVAILABLE, "Connection dropped", "connection closed"],
    [status.UNAVAILABLE, "Name resolution failed for target dns:nowhere:1", "unknown host name"],
    [status.UNAVAILABLE, "connect EHOSTUNREACH 10.0.0.1:1", "host unreachable"],
    [status.UNAVAILABLE, "self-signed certificate in certificate chain", "certificate"],
    [status.UNAVAILABLE, "Hostname/IP does not match certificate's altnames", "another name"],
    [status.UNIMPLEMENTED, "The server does not implement", "does not implement"],
    [status.CANCELLED, "Call cancelled", "ABORTED: Call cancelled"],
    [status.UNAUTHENTICATED, "who are you", "UNAUTHENTICATED: who are you"],
  ])("for status %d and %j is PEER_UNREACHABLE with a readable reason", (code, details, reason) => {
    const error = errorFromCall("node-2:1", arrived(code, details));
    expect(error).toMatchObject({ code: "PEER_UNREACHABLE" });
    expect(error.message).toContain(reason);
  });

  it.each([
    [arrived(status.UNAVAILABLE, "x"), true],
    [arrived(status.CANCELLED, "x"), true],
    [arrived(status.INTERNAL, "x"), true],
    [arrived(status.UNAUTHENTICATED, "x"), false],
    [new ParsecError("MALFORMED_FRAME", "x"), false],
    [undefined, false],
  ])("allows a retry if the connection was lost", (error, lost) => {
    expect(wasConnectionLost(error)).toBe(lost);
  });
});

it("turns a thrown string into PEER_UNREACHABLE", () => {
  expect(unreachable("node-2:1", "the peer closed the stream")).toMatchObject({
    code: "PEER_UNREACHABLE",
    message: "node-2:1 is unreachable: the peer closed the stream",
  });
});
