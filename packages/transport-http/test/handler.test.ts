import { ParsecError, type PeerAnswer } from "@parsec/core";
import { decodeGetResponse } from "@parsec/core/transport";
import { createManualClock, createScriptedHost, type ScriptedHost } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { createHttpPeers, type HttpPeers, type HttpPeersOptions } from "../src/index.ts";
import { startServer, type TestServer, until } from "./http-cluster.ts";
import { RawConnection, type RawResponse, rawRequest } from "./raw-http.ts";

const host = "Host: localhost";
const frameType = "Content-Type: application/vnd.parsec.frame";

/** Frame 7 of sender 1: group "g", with these keys. */
function frameOf(...keys: readonly string[]): Buffer {
  const head = Buffer.from("5001010007000000000000000000f03f0000", "hex");
  head.writeUInt16LE(keys.length, 16);
  const lookups = keys.map((key, index) => {
    const fixed = Buffer.alloc(11);
    fixed.writeUInt8(index === 0 ? 4 : 0, 0);
    fixed.writeUInt32LE(5000, 3);
    fixed.writeUInt32LE(key.length, 7);
    const group = index === 0 ? Buffer.from("010067", "hex") : Buffer.alloc(0);
    return Buffer.concat([fixed, group, Buffer.from(key)]);
  });
  return Buffer.concat([head, ...lookups]);
}

const answer = (text: string): PeerAnswer => ({
  value: Buffer.from(text),
  ttlMs: Number.POSITIVE_INFINITY,
  fence: 0,
  ratePerMinute: 0,
});

/** Answers "a" with "A", as frames and as text. */
const answersOfA = "5001020007000000" + "01" + "0000" + "01000000" + "41";

interface Served {
  readonly server: TestServer;
  readonly peers: HttpPeers;
  readonly host: ScriptedHost;
  post(body: Uint8Array, ...headers: readonly string[]): Promise<RawResponse>;
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(
  options: Partial<HttpPeersOptions> = {},
  { attached = true }: { readonly attached?: boolean } = {},
): Promise<Served> {
  const server = await startServer();
  cleanups.push(() => server.close());
  const peers = createHttpPeers({
    selfUrl: server.url,
    peerUrls: [server.url],
    // These tests are about what comes after the admission.
    insecure: true,
    ...options,
  });
  cleanups.push(() => peers.close());
  server.listener = peers.handler;
  const scripted = createScriptedHost();
  scripted.onLookup(({ key, group }) => {
    if (group !== "g") throw new ParsecError("NO_SUCH_GROUP", `no such group: ${group}`);
    if (key === "boom") throw new ParsecError("ORIGIN_FAILED", "sql: no rows");
    if (key === "never") return new Promise(() => {});
    if (key === "absent") return { ...answer(""), value: undefined };
    return answer(key.toUpperCase());
  });
  if (attached) peers.attach(scripted);
  return {
    server,
    peers,
    host: scripted,
    post: (body, ...headers) =>
      rawRequest(
        server.port,
        [
          "POST /_groupcache/ HTTP/1.1",
          host,
          ...(headers.length > 0 ? headers : [frameType]),
          `Content-Length: ${body.length}`,
        ],
        body,
      ),
  };
}

const get = (served: Served, path: string, ...headers: readonly string[]): Promise<RawResponse> =>
  rawRequest(served.server.port, [`GET ${path} HTTP/1.1`, host, ...headers]);

describe("a frame", () => {
  it("is answered in one response with a content-length when all values are in memory", async () => {
    const served = await serve();
    const response = await served.post(frameOf("a"));
    expect(response.status).toBe(200);
    expect(response.headers).toMatchObject({
      "content-type": "application/vnd.parsec.frame",
      "content-length": "16",
    });
    expect(response.body.toString("hex")).toBe(answersOfA);
  });

  it("is read in any split, and with chunked encoding", async () => {
    const served = await serve();
    const connection = new RawConnection(served.server.port);
    const frame = frameOf("a");
    const head = `POST /_groupcache/ HTTP/1.1\r\n${host}\r\n${frameType}; v=1\r\n`;
    for (const byte of Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`)) {
      connection.write(Uint8Array.of(byte));
    }
    connection.write(`5\r\n`);
    connection.write(frame.subarray(0, 5));
    connection.write(`\r\n${(frame.length - 5).toString(16)}\r\n`);
    connection.write(frame.subarray(5));
    connection.write("\r\n0\r\n\r\n");
    expect((await connection.response()).body.toString("hex")).toBe(answersOfA);
    connection.end();
  });

  it("gets its hits answered first while others load", async () => {
    const served = await serve();
    const connection = new RawConnection(served.server.port);
    const frame = frameOf("never", "hit");
    connection.write(
      `POST /_groupcache/ HTTP/1.1\r\n${host}\r\n${frameType}\r\nContent-Length: ${frame.length}\r\n\r\n`,
    );
    connection.write(frame);
    await connection.receiveText("HIT");
    expect(served.host.lookups.map((one) => one.signal?.aborted)).toEqual([false, false]);
    connection.end();
    await until(() => served.host.lookups[0]?.signal?.aborted === true);
  });

  it.each([
    ["random bytes", Buffer.from("this is not a frame")],
    ["nothing", Buffer.alloc(0)],
    ["one byte", Buffer.from([0x50])],
    ["a frame cut short", frameOf("a").subarray(0, -1)],
    ["a frame with more behind it", Buffer.concat([frameOf("a"), Buffer.from([0])])],
    ["an answer instead of a question", Buffer.from(answersOfA, "hex")],
    ["a frame of another version", Buffer.from(frameOf("a").fill(2, 1, 2))],
    ["an invalidation cut short", Buffer.from("5001030007000000000000000000f03f0100", "hex")],
    ["a cancellation cut short", Buffer.from("5001040007000000000000000000f03f0100", "hex")],
  ])("of %s gets 400, without a lookup", async (_, body) => {
    const served = await serve();
    const response = await served.post(body);
    expect(response.status).toBe(400);
    expect(response.json()).toMatchObject({ error: "bad_request", code: "MALFORMED_FRAME" });
    expect(served.host.lookups).toEqual([]);
    expect((await served.post(frameOf("a"))).status).toBe(200);
  });

  it("over a limit gets 413 with the name of the limit", async () => {
    const served = await serve({ limits: { maxLookups: 1, maxKeyBytes: 4 } });
    const many = await served.post(frameOf("a", "b"));
    expect([many.status, many.json().code]).toEqual([413, "FRAME_TOO_LARGE"]);
    expect(many.json().message).toContain("maxLookups");
    expect((await served.post(frameOf("abcde"))).json().message).toContain("maxKeyBytes");
    expect(served.host.lookups).toEqual([]);
  });

  it("over maxFrameBytes gets 413 before it is read", async () => {
    const served = await serve();
    const response = await rawRequest(served.server.port, [
      "POST /_groupcache/ HTTP/1.1",
      host,
      frameType,
      "Content-Length: 5000000000",
    ]);
    expect([response.status, response.json().code]).toEqual([413, "FRAME_TOO_LARGE"]);
    expect(response.headers.connection).toBe("close");
  });

  it("without content-length gets 413 as soon as it is over maxFrameBytes", async () => {
    const served = await serve({
      limits: { maxFrameBytes: 4000, maxKeyBytes: 100, maxInputBytes: 100, maxGroupBytes: 100 },
    });
    const connection = new RawConnection(served.server.port);
    connection.write(
      `POST /_groupcache/ HTTP/1.1\r\n${host}\r\n${frameType}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    for (let piece = 0; piece < 5; piece++) connection.write(`3e8\r\n${"x".repeat(1000)}\r\n`);
    const response = await connection.response();
    expect([response.status, response.json().code]).toEqual([413, "FRAME_TOO_LARGE"]);
    await connection.closed;
  });

  it("that ends too early does not affect later requests", async () => {
    const served = await serve();
    const connection = new RawConnection(served.server.port);
    connection.write(
      `POST /_groupcache/ HTTP/1.1\r\n${host}\r\n${frameType}\r\nContent-Length: 1000\r\n\r\nP`,
    );
    connection.socket.end();
    await connection.closed;
    expect(served.host.lookups).toEqual([]);
    expect((await served.post(frameOf("a"))).status).toBe(200);
  });

  it("longer than its content-length is answered without the rest, which is not a valid request", async () => {
    const served = await serve();
    const connection = new RawConnection(served.server.port);
    const frame = frameOf("a");
    connection.write(
      Buffer.concat([
        Buffer.from(
          `POST /_groupcache/ HTTP/1.1\r\n${host}\r\n${frameType}\r\nContent-Length: ${frame.length}\r\n\r\n`,
        ),
        frame,
        Buffer.from("garbage\r\n\r\n"),
      ]),
    );
    expect((await connection.response()).status).toBe(200);
    expect((await connection.response()).status).toBe(400);
    await connection.closed;
  });

  it("that does not arrive in time gets 408", async () => {
    const clock = createManualClock();
    const served = await serve({ clock });
    const connection = new RawConnection(served.server.port);
    connection.write(
      `POST /_groupcache/ HTTP/1.1\r\n${host}\r\n${frameType}\r\nContent-Length: 1000\r\n\r\nP`,
    );
    await until(() => clock.pendingCount > 0);
    await clock.run(6300);
    const response = await connection.response();
    expect([response.status, response.json().code]).toEqual([408, "TIMEOUT"]);
    await connection.closed;
    await served.peers.close();
    expect(clock.pendingCount).toBe(0);
  });

  it("sent by this node to itself gets 421 with the reason", async () => {
    const served = await serve();
    const other = createHttpPeers({
      selfUrl: "http://elsewhere",
      peerUrls: ["http://elsewhere", served.server.url],
      // Without a secret, a node at such an address answers nobody.
      insecure: true,
    });
    cleanups.push(() => other.close());
    other.attach(served.host);
    served.server.listener = other.handler;
    const invalidation = { group: "g", target: { kind: "all" }, fence: 1 } as const;
    const call = other.peers()[0]?.invalidate(invalidation, { timeoutMs: 1000 });
    await expect(call).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
      message: expect.stringContaining("comes from this node itself"),
    });
    expect(served.host.invalidations).toEqual([]);
  });
});

describe("a request", () => {
  it.each([
    ["PUT", "/_groupcache/", "GET, POST"],
    ["DELETE", "/_groupcache/", "GET, POST"],
    ["OPTIONS", "/_groupcache/", "GET, POST"],
    ["POST", "/_groupcache/g/k", "GET"],
    ["DELETE", "/_groupcache/g/k", "GET"],
    ["PUT", "/_groupcache/g/k", "GET"],
  ])("%s %s gets 405", async (method, path, allow) => {
    const served = await serve();
    const head = [`${method} ${path} HTTP/1.1`, host, "Content-Length: 0"];
    const response = await rawRequest(served.server.port, head);
    expect(response.status).toBe(405);
    expect(response.headers.allow).toBe(allow);
    expect(served.host.lookups).toEqual([]);
  });

  it.each([
    ["Content-Type: application/json"],
    ["Content-Type: application/vnd.parsec.frames"],
    ["X-Nothing: there"],
    [frameType, "Content-Encoding: gzip"],
  ])("with %s gets 415", async (...headers) => {
    const served = await serve();
    const response = await served.post(frameOf("a"), ...headers);
    expect(response.status).toBe(415);
    expect(response.json()).toMatchObject({ code: "MALFORMED_FRAME" });
    expect(served.host.lookups).toEqual([]);
  });

  it("outside of basePath gets 404, or is passed to next in a middleware", async () => {
    const served = await serve();
    expect((await get(served, "/_groupcache")).status).toBe(404);
    expect((await get(served, "/")).json()).toMatchObject({ error: "not_found" });
    served.server.listener = (request, response) =>
      served.peers.handler(request, response, () => response.writeHead(204).end());
    expect((await get(served, "/_groupcache")).status).toBe(204);
    expect((await get(served, "/_groupcache/g/a")).status).toBe(200);
  });

  it("before attach and after close gets 503", async () => {
    const served = await serve({}, { attached: false });
    for (const path of ["/_groupcache/", "/_groupcache/g/a"]) {
      expect((await get(served, path)).json()).toMatchObject({ code: "CLOSED" });
    }
    expect((await served.post(frameOf("a"))).status).toBe(503);
    served.peers.attach(served.host);
    expect((await served.post(frameOf("a"))).status).toBe(200);
    await served.peers.close();
    expect((await served.post(frameOf("a"))).status).toBe(503);
    expect((await get(served, "/_groupcache/")).status).toBe(503);
  });

  it("over maxRequests gets 503", async () => {
    const served = await serve({ limits: { maxRequests: 1 } });
    const waiting = new RawConnection(served.server.port);
    waiting.write(`GET /_groupcache/g/never HTTP/1.1\r\n${host}\r\n\r\n`);
    await until(() => served.host.lookups.length === 1);
    const refused = await served.post(frameOf("a"));
    expect([refused.status, refused.json().code]).toEqual([503, "OVERLOADED"]);
    waiting.end();
    await until(() => served.host.lookups[0]?.signal?.aborted === true);
    expect((await served.post(frameOf("a"))).status).toBe(200);
  });

  it("pending when the node closes completes, or is aborted after closeTimeoutMs", async () => {
    const clock = createManualClock();
    const served = await serve({ clock });
    const waiting = new RawConnection(served.server.port);
    waiting.write(`GET /_groupcache/g/never HTTP/1.1\r\n${host}\r\n\r\n`);
    await until(() => served.host.lookups.length === 1);
    let closed = false;
    const closing = served.peers.close().then(() => {
      closed = true;
    });
    await clock.run(4999);
    expect(closed).toBe(false);
    await clock.run(1);
    await closing;
    await waiting.closed;
  });

  it("whose client disconnects does not delay close", async () => {
    const clock = createManualClock();
    const served = await serve({ clock });
    const frame = `POST /_groupcache/ HTTP/1.1\r\n${host}\r\n${frameType}\r\nContent-Length: 99\r\n\r\nP`;
    const leaving = new RawConnection(served.server.port);
    leaving.write(frame);
    await until(() => clock.pendingCount > 0);
    const closing = served.peers.close();
    leaving.end();
    await closing;
    expect(clock.pendingCount).toBe(0);
  });

  it("whose body does not arrive is aborted after closeTimeoutMs", async () => {
    const clock = createManualClock();
    const served = await serve({ clock, limits: { bodyTimeoutMs: 60_000 } });
    const connection = new RawConnection(served.server.port);
    connection.write(
      `POST /_groupcache/ HTTP/1.1\r\n${host}\r\n${frameType}\r\nContent-Length: 99\r\n\r\nP`,
    );
    await until(() => clock.pendingCount > 0);
    const closing = served.peers.close();
    await clock.run(5000);
    await closing;
    expect((await connection.response()).status).toBe(503);
    await connection.closed;
  });

  it("handler cannot be attached to a second cache", async () => {
    const served = await serve();
    expect(() => served.peers.attach(served.host)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});

describe("a GET", () => {
  it("of the base path answers a ping", async () => {
    const served = await serve();
    expect((await get(served, "/_groupcache/")).status).toBe(204);
  });

  it("of a value that never expires is answered without expiry", async () => {
    const served = await serve();
    served.host.onLookup(() => ({ ...answer("hi"), ttlMs: Number.POSITIVE_INFINITY }));
    const response = await get(served, "/_groupcache/g/k");
    expect(response.body.toString("hex")).toBe("0a026869");
    expect(response.headers).not.toHaveProperty("parsec-ttl-ms");
  });

  it("of a value is answered in Go's protobuf", async () => {
    const served = await serve();
    const before = Date.now();
    served.host.onLookup(() => ({ ...answer("hi"), ttlMs: 1500.7, ratePerMinute: 120.5 }));
    const response = await get(served, "/_groupcache/g/k");
    expect(response.status).toBe(200);
    expect(response.headers).toMatchObject({
      "content-type": "application/x-protobuf",
      "parsec-ttl-ms": "1500",
    });
    expect(response.body.subarray(0, 13).toString("hex")).toBe(
      "0a026869" + "11" + "0000000000205e40",
    );
    const { expiresAtMs = 0 } = decodeGetResponse(response.body, { maxValueBytes: 10 });
    expect(expiresAtMs).toBeGreaterThanOrEqual(before + 1500);
    expect(expiresAtMs).toBeLessThanOrEqual(Date.now() + 1501);
    expect(served.host.lookups[0]?.lookup).toEqual({
      group: "g",
      key: "k",
      input: undefined,
      fence: 0,
      timeoutMs: 30_000,
    });
  });

  it.each([
    ["/_groupcache/g/", ""],
    ["/_groupcache/g/a%20b", "a b"],
    ["/_groupcache/g/a+b", "a+b"],
    ["/_groupcache/g/x/y/../z//", "x/y/../z//"],
    ["/_groupcache/g/%2e%2e", ".."],
    ["/_groupcache/g/%FF%FE", "\udcff\udcfe"],
    ["/_groupcache/g/%E6%97%A5%E6%9C%AC", "日本"],
    ["/_groupcache/g/100%25", "100%"],
    ["/_groupcache/g/k?v=1", "k"],
    ["http://localhost/_groupcache/g/k", "k"],
  ])("of %s looks up %j", async (path, key) => {
    const served = await serve();
    expect((await get(served, path)).status).toBe(200);
    expect(served.host.lookups[0]?.lookup.key).toBe(key);
  });

  it("decodes a plus as a space in the golang dialect", async () => {
    const served = await serve({ dialect: "golang" });
    await get(served, "/_groupcache/g/a+b%2Bc");
    expect(served.host.lookups[0]?.lookup.key).toBe("a b+c");
  });

  it.each([
    ["/_groupcache/x/k", 404, "NO_SUCH_GROUP", "no such group: x\n"],
    ["/_groupcache/g/absent", 404, "NOT_FOUND", "not found\n"],
    ["/_groupcache/g/boom", 500, "ORIGIN_FAILED", "sql: no rows\n"],
    ["/_groupcache/g", 400, "INVALID_KEY", "bad request\n"],
    ["/_groupcache/g/%zz", 400, "INVALID_KEY", "bad request\n"],
    [`/_groupcache/g/${"k".repeat(5000)}`, 413, "KEY_TOO_LARGE", undefined],
  ])("of %.30s gets %d %s", async (path, status, code, text) => {
    const served = await serve({ limits: { maxKeyBytes: 4000 } });
    const response = await get(served, path);
    expect(response.status).toBe(status);
    expect(response.headers["parsec-code"]).toBe(code);
    expect(response.headers["content-type"]).toBe("text/plain; charset=utf-8");
    if (text !== undefined) expect(response.body.toString()).toBe(text);
  });

  it("of a value over maxValueBytes fails", async () => {
    const served = await serve({ limits: { maxValueBytes: 3 } });
    const response = await get(served, "/_groupcache/g/abcd");
    expect(response.headers["parsec-code"]).toBe("VALUE_TOO_LARGE");
  });

  it("whose client disconnects aborts the load", async () => {
    const served = await serve();
    const connection = new RawConnection(served.server.port);
    connection.write(`GET /_groupcache/g/never HTTP/1.1\r\n${host}\r\n\r\n`);
    await until(() => served.host.lookups.length === 1);
    connection.end();
    await until(() => served.host.lookups[0]?.signal?.aborted === true);
  });

  it("does not reveal the message of an unexpected error", async () => {
    const served = await serve();
    served.host.onLookup(() => {
      throw new Error("password=hunter2");
    });
    const response = await get(served, "/_groupcache/g/k");
    expect(response.status).toBe(500);
    expect(response.body.toString()).not.toContain("hunter2");
  });
});
