import { connect, type Http2Session } from "node:http2";
import net from "node:net";
import { ParsecError } from "@parsec/core";
import { createScriptedHost } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { decodeAnswerMessage, messageMethods } from "../src/grpc-wire.ts";
import { createGrpcPeers, type GrpcPeers, type GrpcPeersOptions } from "../src/index.ts";
import {
  answerFrame,
  cancellationFrame,
  entriesFrame,
  hex,
  invalidationFrame,
  lookupFrame,
} from "./frames.ts";
import { freePorts } from "./free-ports.ts";
import { createRawClient, type RawClient } from "./raw-client.ts";
import { until } from "./until.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Node {
  readonly port: number;
  readonly peers: GrpcPeers;
  readonly client: RawClient;
  readonly host: ReturnType<typeof createScriptedHost>;
  /** Fails unless the node still answers correctly. */
  check(): Promise<void>;
}

async function startNode(options: Partial<GrpcPeersOptions> = {}): Promise<Node> {
  const [port = 0] = await freePorts(1);
  const selfUrl = `localhost:${port}`;
  const peers = createGrpcPeers({ selfUrl, peerUrls: [selfUrl], insecure: true, ...options });
  const host = createScriptedHost();
  host.onLookup(() => ({
    value: Buffer.from("v"),
    ttlMs: Number.POSITIVE_INFINITY,
    fence: 0,
    ratePerMinute: 0,
  }));
  peers.attach(host);
  await peers.listen();
  const client = createRawClient(port);
  cleanups.push(
    () => peers.close(),
    () => client.close(),
  );
  return {
    port,
    peers,
    client,
    host,
    async check() {
      const stream = client.stream(messageMethods.exchange);
      stream.send(lookupFrame(99));
      await until(() => stream.messages.length === 1);
      expect(stream.messages).toEqual([answerFrame(99)]);
      stream.call.end();
      await stream.ended;
    },
  };
}

function refusalOf(message: Buffer | undefined): string {
  const { kind, frameId, body } = decodeAnswerMessage(message ?? Buffer.alloc(0));
  return `${kind} of ${frameId}: ${body.toString().split(" ")[0]}`;
}

describe("a stream message that", () => {
  const tooManyLookups = lookupFrame(5);
  tooManyLookups.writeUInt16LE(3, 16);
  const oversizedKey = lookupFrame(5);
  oversizedKey.writeUInt32LE(1001, 25);
  const badVersion = lookupFrame(5);
  badVersion[1] = 2;
  const trailing = Buffer.concat([lookupFrame(5), hex("00")]);

  it.each([
    ["declares more lookups than maxLookups", tooManyLookups, "FRAME_TOO_LARGE"],
    ["declares a key over maxKeyBytes", oversizedKey, "FRAME_TOO_LARGE"],
    ["is of another version", badVersion, "MALFORMED_FRAME"],
    ["has trailing bytes", trailing, "MALFORMED_FRAME"],
    ["is cut short", lookupFrame(5).subarray(0, 30), "MALFORMED_FRAME"],
    ["is only a header", lookupFrame(5).subarray(0, 8), "MALFORMED_FRAME"],
    ["is an invalidation", invalidationFrame(5), "MALFORMED_FRAME"],
    ["is an answer", answerFrame(5), "MALFORMED_FRAME"],
    ["is a cancellation cut short", cancellationFrame(5).subarray(0, 17), "MALFORMED_FRAME"],
  ])("%s is refused, and the stream stays open", async (_, frame, code) => {
    const { client, host, check } = await startNode({
      limits: { maxLookups: 2, maxLookupsSent: 2, maxKeyBytes: 1000 },
    });
    const stream = client.stream(messageMethods.exchange);
    stream.send(frame);
    stream.send(lookupFrame(6));
    await until(() => stream.messages.length === 2);
    expect(refusalOf(stream.messages[0])).toBe(`refusal of 5: ${code}`);
    expect(stream.messages[1]).toEqual(answerFrame(6));
    expect(host.lookups).toHaveLength(1);
    expect(host.invalidations).toEqual([]);
    await check();
  });

  it.each([
    ["is empty", Buffer.alloc(0)],
    ["is random bytes", hex("deadbeef deadbeef deadbeef")],
    ["is HTTP/1", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    ["is shorter than a header", hex("50010100")],
  ])("%s ends the stream, and the node keeps serving", async (_, message) => {
    const { client, host, check } = await startNode();
    const stream = client.stream(messageMethods.exchange);
    stream.send(message);
    expect(await stream.ended).toMatchObject({
      code: "INVALID_ARGUMENT",
      typed: "MALFORMED_FRAME",
    });
    expect(host.lookups).toEqual([]);
    await check();
  });

  it("is over maxFrameBytes ends the stream before it is buffered", async () => {
    const limits = { maxFrameBytes: 20_000, maxKeyBytes: 1000, maxInputBytes: 1000 };
    const { client, host, check } = await startNode({ limits });
    const stream = client.stream(messageMethods.exchange);
    stream.send(lookupFrame(5, "k".repeat(30_000)));
    expect(await stream.ended).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect(host.lookups).toEqual([]);
    await check();
  });

  it("cancels an unknown frame has no effect", async () => {
    const { client, check } = await startNode();
    const stream = client.stream(messageMethods.exchange);
    stream.send(cancellationFrame(12345));
    stream.send(lookupFrame(6));
    await until(() => stream.messages.length === 1);
    expect(stream.messages).toEqual([answerFrame(6)]);
    await check();
  });

  it("was sent by the node itself is refused, because its peer's address leads back to it", async () => {
    const [port = 0] = await freePorts(1);
    // The same node under two names, which it takes for two nodes.
    const peerUrls = [`127.0.0.1:${port}`, `localhost:${port}`];
    const peers = createGrpcPeers({ selfUrl: peerUrls[0] as string, peerUrls, insecure: true });
    cleanups.push(() => peers.close());
    const host = createScriptedHost();
    peers.attach(host);
    await peers.listen();
    const call = peers.peers()[0]?.lookup({
      group: "g",
      key: "k",
      input: undefined,
      fence: 0,
      timeoutMs: 4000,
    });
    await expect(call).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
      message: expect.stringContaining("comes from this node itself"),
    });
    expect(host.lookups).toEqual([]);
  });

  it("makes the host throw is refused, without the message of the error", async () => {
    const { client, host } = await startNode();
    host.onLookup(() => {
      throw new RangeError("password=hunter2");
    });
    const stream = client.stream(messageMethods.exchange);
    stream.send(lookupFrame(5));
    await until(() => stream.messages.length === 1);
    expect(stream.messages[0]?.toString("latin1")).not.toContain("hunter2");
  });
});

describe("a unary call that", () => {
  it.each([
    ["Lookup", messageMethods.lookup, invalidationFrame(7)],
    ["Lookup", messageMethods.lookup, Buffer.alloc(0)],
    ["Lookup", messageMethods.lookup, lookupFrame(7).subarray(0, 30)],
    ["Invalidate", messageMethods.invalidate, lookupFrame(7)],
    ["Invalidate", messageMethods.invalidate, invalidationFrame(7).subarray(0, 25)],
    ["Invalidate", messageMethods.invalidate, hex("deadbeef")],
    ["HandOver", messageMethods.handOver, lookupFrame(7)],
    ["HandOver", messageMethods.handOver, entriesFrame(7).subarray(0, 25)],
    ["Get", messageMethods.get, hex("deadbeef")],
    ["Get", messageMethods.get, Buffer.alloc(0)],
    ["Check", messageMethods.check, hex("0a ff")],
  ])("%s cannot decode gets INVALID_ARGUMENT", async (_, method, message) => {
    const { client, host, check } = await startNode();
    expect(await client.unary(method, message)).toMatchObject({
      code: "INVALID_ARGUMENT",
      typed: "MALFORMED_FRAME",
    });
    expect([host.lookups, host.invalidations, host.handOvers]).toEqual([[], [], []]);
    await check();
  });

  it("is over the size limit gets RESOURCE_EXHAUSTED", async () => {
    const limits = { maxFrameBytes: 20_000, maxKeyBytes: 1000, maxInputBytes: 1000 };
    const { client, host, check } = await startNode({ limits });
    const outcome = await client.unary(messageMethods.lookup, Buffer.alloc(30_000));
    expect(outcome).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect(host.lookups).toEqual([]);
    await check();
  });

  it.each(["/parsec.v1.Peers/Delete", "/parsec.v1.Other/Ping", "/", "/%00/%ff"])(
    "has the unknown path %s gets UNIMPLEMENTED",
    async (path) => {
      const { client, check } = await startNode();
      const outcome = await client.unary({ ...messageMethods.ping, path }, Buffer.alloc(0));
      expect(outcome.code).toBe("UNIMPLEMENTED");
      await check();
    },
  );

  it("requests server reflection gets UNIMPLEMENTED", async () => {
    const { client } = await startNode();
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const stream = client.stream({ ...messageMethods.exchange, path });
    expect(await stream.ended).toMatchObject({ code: "UNIMPLEMENTED" });
  });

  it("sends two messages gets an error", async () => {
    const { client, check } = await startNode();
    const stream = client.stream(messageMethods.ping);
    stream.send(Buffer.alloc(0));
    stream.send(Buffer.alloc(0));
    stream.call.end();
    expect(await stream.ended).toMatchObject({ code: "UNIMPLEMENTED" });
    await check();
  });
});

describe("a connection that", () => {
  async function speak(port: number, bytes: Uint8Array): Promise<void> {
    const socket = net.connect(port, "localhost");
    await new Promise<void>((resolve) => {
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.resume();
      socket.end(bytes);
    });
  }

  it.each([
    ["HTTP/1", Buffer.from("GET /_groupcache/g/k HTTP/1.1\r\nHost: localhost\r\n\r\n")],
    ["a TLS handshake", hex("16030100 c8 010000c4 0303")],
    ["SSH", Buffer.from("SSH-2.0-OpenSSH_9.9\r\n")],
    ["only silence", Buffer.alloc(0)],
    ["zeros", Buffer.alloc(100_000)],
    [
      "the preface and then garbage",
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage garbage"),
    ],
    ["half the preface", Buffer.from("PRI * HTTP/2.0\r\n")],
  ])("sends %s does not affect the node", async (_, bytes) => {
    const { port, check } = await startNode();
    await speak(port, bytes);
    await check();
  });

  it("sends HTTP/2 without gRPC gets an HTTP error", async () => {
    const { port, check } = await startNode();
    const session: Http2Session & ReturnType<typeof connect> = connect(`http://localhost:${port}`);
    cleanups.push(() => session.destroy());
    const status = await new Promise((resolve, reject) => {
      session.on("error", reject);
      const request = session.request({ ":path": messageMethods.ping.path, ":method": "GET" });
      request.on("response", (headers) => resolve(headers[":status"]));
      request.on("error", reject);
      request.end();
    });
    expect(status).toBe(415);
    await check();
  });

  it("sends nothing does not delay close", async () => {
    const { port, peers } = await startNode({ closeTimeoutMs: 600_000 });
    const socket = net.connect(port, "localhost");
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.on("error", () => {});
    socket.resume();
    await new Promise((resolve) => socket.on("connect", resolve));
    await peers.close();
    await closed;
  });
});

it("ends the streams of its clients gracefully on close", async () => {
  const { peers, client } = await startNode({ closeTimeoutMs: 600_000 });
  const stream = client.stream(messageMethods.exchange);
  stream.send(lookupFrame(1));
  await until(() => stream.messages.length === 1);
  await peers.close();
  expect(await stream.ended).toMatchObject({ code: "OK" });
});

describe("a limit", () => {
  const never = new Promise<never>(() => {});

  it("on pending calls refuses with OVERLOADED, on the stream and for unary calls", async () => {
    const { client, host } = await startNode({ limits: { maxRequests: 1 }, closeTimeoutMs: 1 });
    host.onLookup(() => never);
    const stream = client.stream(messageMethods.exchange);
    stream.send(lookupFrame(1));
    stream.send(lookupFrame(2));
    const refusals = (): readonly Buffer[] => stream.messages.filter(([kind]) => kind === 3);
    await until(() => refusals().length > 0);
    expect(refusals().map(refusalOf)).toEqual(["refusal of 2: OVERLOADED"]);
    const outcome = await client.unary(messageMethods.get, hex("0a 01 67 12 01 6b"));
    expect(outcome).toMatchObject({ code: "RESOURCE_EXHAUSTED", typed: "OVERLOADED" });
    // Health checks are always answered.
    expect(await client.unary(messageMethods.check, Buffer.alloc(0))).toMatchObject({ code: "OK" });
    expect(host.lookups).toHaveLength(1);
  });

  it("on streams refuses with OVERLOADED", async () => {
    const { client } = await startNode({ limits: { maxStreams: 1 } });
    const first = client.stream(messageMethods.exchange);
    first.send(lookupFrame(1));
    await until(() => first.messages.length === 1);
    const second = client.stream(messageMethods.exchange);
    expect(await second.ended).toMatchObject({ typed: "OVERLOADED" });
    first.call.end();
    await first.ended;
    const third = client.stream(messageMethods.exchange);
    third.send(lookupFrame(1));
    await until(() => third.messages.length === 1);
  });

  it("on the response to Lookup refuses with VALUE_TOO_LARGE", async () => {
    const { client, host } = await startNode({ limits: { maxValueBytes: 10, maxLookups: 4000 } });
    host.onLookup(() => {
      throw new ParsecError("ORIGIN_FAILED", "x".repeat(400));
    });
    const few = await client.unary(messageMethods.lookup, lookupFrame(1, ...Array(100).fill("k")));
    expect(few).toMatchObject({ code: "OK" });
    const many = await client.unary(
      messageMethods.lookup,
      lookupFrame(1, ...Array(4000).fill("k")),
    );
    expect(many).toMatchObject({ code: "RESOURCE_EXHAUSTED", typed: "VALUE_TOO_LARGE" });
  });
});
