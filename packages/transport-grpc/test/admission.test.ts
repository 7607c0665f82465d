import { connect, type IncomingHttpHeaders } from "node:http2";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { createGroupCache, type PeerAnswer, type PeerLookup } from "@parsec/core";
import { createRequestSigner, hostSecret, type RequestSigner } from "@parsec/core/transport";
import { createScriptedHost } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { SignedCall } from "../src/grpc-auth.ts";
import { StreamSeal } from "../src/grpc-seal.ts";
import { messageMethods } from "../src/grpc-wire.ts";
import { createGrpcPeers, type GrpcPeersOptions, type GrpcPeersWarning } from "../src/index.ts";
import { Admissions } from "../src/server/grpc-admission.ts";
import { RefusalLog } from "../src/server/grpc-refusals.ts";
import { answerFrame, entriesFrame, hex, invalidationFrame, lookupFrame } from "./frames.ts";
import { freePorts } from "./free-ports.ts";
import { createRawClient, type RawClient } from "./raw-client.ts";
import { until } from "./until.ts";

const secret = "a secret for this test only";
const otherSecret = "the secret of another test";
const lookup: PeerLookup = {
  group: "g",
  key: "token:hunter2",
  input: Buffer.from("hunter2"),
  fence: 0,
  timeoutMs: 4000,
};
const answer: PeerAnswer = {
  value: Buffer.from("v"),
  ttlMs: Number.POSITIVE_INFINITY,
  fence: 0,
  ratePerMinute: 0,
};

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Two nodes with different options; the first sends a lookup and an invalidation to the second. */
async function ask(
  asking: Partial<GrpcPeersOptions>,
  answering: Partial<GrpcPeersOptions>,
): Promise<string> {
  const ports = await freePorts(2);
  const urls = ports.map((port) => `grpc://127.0.0.1:${port}`);
  const [selfUrl, peerUrl] = urls as [string, string];
  const warnings: GrpcPeersWarning[] = [];
  const onWarning = (warning: GrpcPeersWarning): number => warnings.push(warning);
  const common = { peerUrls: urls, onWarning };
  const client = createGrpcPeers({ selfUrl, ...common, ...asking });
  const owner = createGrpcPeers({ selfUrl: peerUrl, ...common, ...answering });
  cleanups.push(
    () => client.close(),
    () => owner.close(),
  );
  const host = createScriptedHost();
  host.onLookup(() => answer);
  owner.attach(host);
  await owner.listen();
  const [peer] = client.peers();
  const outcomes = await Promise.all(
    [
      peer?.lookup(lookup),
      peer?.invalidate({ group: "g", target: { kind: "all" }, fence: 1 }, { timeoutMs: 4000 }),
    ].map((call) =>
      call?.then(
        () => "answered",
        (error: Error & { code: string }) => `${error.code} ${error.message}`,
      ),
    ),
  );
  const answered = outcomes[0] === "answered" ? 1 : 0;
  expect([host.lookups.length, host.invalidations.length]).toEqual([answered, answered]);
  expect(outcomes[1]?.split(" ")[0]).toBe(outcomes[0]?.split(" ")[0]);
  const refusals = warnings.filter((warning) => warning.kind === "refused");
  expect(refusals.length).toBe(answered === 1 ? 0 : 1);
  expect(JSON.stringify(warnings)).not.toMatch(/hunter2|secret for|secret of/);
  return outcomes[0] ?? "no peer";
}

describe("with a secret, a node", () => {
  it("accepts calls of nodes that share it", async () => {
    expect(await ask({ secret }, { secret })).toBe("answered");
  });

  it("keeps serving while the secret is rotated", async () => {
    expect(await ask({ secret: [secret, otherSecret] }, { secret: [otherSecret, secret] })).toBe(
      "answered",
    );
    expect(await ask({ secret: [otherSecret, secret] }, { secret: [secret, otherSecret] })).toBe(
      "answered",
    );
  });

  it.each([
    ["another secret", { secret: otherSecret }],
    ["the secret of its host only", {}],
    ["no secret", { insecure: true }],
  ] as const)("refuses a node with %s, on loopback too", async (_, asking) => {
    expect(await ask(asking, { secret })).toMatch(/PEER_UNREACHABLE .*UNAUTHENTICATED/);
  });

  it("still requires signatures when insecure is set", async () => {
    expect(await ask({}, { secret, insecure: true })).toMatch(/PEER_UNREACHABLE/);
  });
});

interface SecretNode {
  readonly url: string;
  readonly client: RawClient;
  readonly warnings: readonly GrpcPeersWarning[];
  readonly host: ReturnType<typeof createScriptedHost>;
  readonly sign: RequestSigner;
}

/** A node with a secret, on its own server or an application's, and a client that can sign. */
async function secretNode(
  options: Partial<GrpcPeersOptions> & { readonly foreignServer?: boolean } = {},
): Promise<SecretNode> {
  const { foreignServer = false, ...rest } = options;
  const [port = 0] = await freePorts(1);
  const url = `grpc://localhost:${port}`;
  const warnings: GrpcPeersWarning[] = [];
  const peers = createGrpcPeers({
    selfUrl: url,
    peerUrls: [url],
    secret,
    onWarning: (warning) => warnings.push(warning),
    ...rest,
  });
  const host = createScriptedHost();
  host.onLookup(() => answer);
  peers.attach(host);
  if (foreignServer) {
    const server = new Server();
    peers.addTo(server);
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`localhost:${port}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    cleanups.push(() => server.forceShutdown());
  } else await peers.listen();
  cleanups.push(() => peers.close());
  const client = createRawClient(port);
  cleanups.push(() => client.close());
  const sign = createRequestSigner({ secret, receiver: url, wallNow: Date.now });
  return { url, client, warnings, host, sign };
}

const nothing = new Uint8Array();
const getMessage = hex("0a 01 67 12 01 6b");
const unaryCalls = [
  ["Lookup", messageMethods.lookup, lookupFrame(7)],
  ["Invalidate", messageMethods.invalidate, invalidationFrame(7)],
  ["HandOver", messageMethods.handOver, entriesFrame(7)],
  ["Ping", messageMethods.ping, nothing],
  ["groupcachepb Get", messageMethods.get, getMessage],
  ["a health check", messageMethods.check, nothing],
] as const;

describe.each([
  ["of this package", false],
  ["of the application", true],
])("a call on a server %s", (_, foreignServer) => {
  it.each(unaryCalls)(
    "to %s needs a signature, which is accepted once",
    async (_name, method, message) => {
      const { url, client, sign, host, warnings } = await secretNode({ foreignServer });
      const send = (bytes: Uint8Array, authorization?: string) =>
        client.unary(method, bytes, authorization === undefined ? {} : { authorization });
      const refused = { code: "UNAUTHENTICATED", typed: "UNAUTHENTICATED" };

      expect(await send(message)).toMatchObject({ ...refused, details: "signature is missing" });
      const stranger = createRequestSigner({
        secret: otherSecret,
        receiver: "grpc://localhost",
        wallNow: Date.now,
      });
      const foreign = stranger(method.path, message).authorization;
      expect(await send(message, foreign)).toMatchObject(refused);

      const { authorization } = sign(method.path, message);
      const elsewhere = sign("/parsec.v1.Peers/Other", message).authorization;
      expect(await send(message, elsewhere)).toMatchObject(refused);
      expect(await send(message, authorization)).toMatchObject({ code: "OK" });
      expect(await send(message, authorization)).toMatchObject({
        ...refused,
        details: "signature was already used",
      });

      const tampered = sign(method.path, message).authorization;
      expect(await send(Buffer.concat([message, hex("00")]), tampered)).toMatchObject({
        ...refused,
        details: "message does not match its signature",
      });
      const old = createRequestSigner({
        secret,
        receiver: url,
        wallNow: () => Date.now() - 60_000,
      });
      expect(await send(message, old(method.path, message).authorization)).toMatchObject({
        ...refused,
        details: expect.stringContaining("expired"),
      });

      expect(host.lookups.length + host.invalidations.length).toBeLessThanOrEqual(1);
      const reasons = warnings.map(({ kind, message: text }) => `${kind} ${text.split(": ")[2]}`);
      expect(reasons).toEqual([
        "refused signature is missing",
        "refused signature is invalid",
        "refused signature was already used",
        "refused message does not match its signature",
        "refused signature is expired, or the clocks differ by more than limits.maxClockSkewMs",
      ]);
    },
  );

  it("that opens a stream needs a signature, and a replayed one is refused", async () => {
    const { client, sign, host } = await secretNode({ foreignServer });
    const { path } = messageMethods.exchange;
    const refused = { code: "UNAUTHENTICATED", typed: "UNAUTHENTICATED" };
    const unsigned = client.stream(messageMethods.exchange);
    unsigned.send(lookupFrame(1));
    expect(await unsigned.ended).toMatchObject({ ...refused, details: "signature is missing" });

    const signed = new SignedCall(sign(path));
    const seal = new StreamSeal(signed, "client");
    const sealed = [seal.seal(lookupFrame(1)), seal.seal(lookupFrame(2))] as const;
    const stream = client.stream(messageMethods.exchange, signed);
    stream.send(sealed[0]);
    stream.send(sealed[1]);
    await until(() => stream.messages.length === 2);
    expect(stream.messages.map((message) => seal.open(message))).toEqual([
      answerFrame(1),
      answerFrame(2),
    ]);
    expect(host.lookups).toHaveLength(2);

    const replayed = client.stream(messageMethods.exchange, signed);
    replayed.send(sealed[0]);
    expect(await replayed.ended).toMatchObject({
      ...refused,
      details: "signature was already used",
    });
    expect(replayed.messages).toEqual([]);
    stream.call.end();
    expect(await stream.ended).toMatchObject({ code: "OK" });
    expect(host.lookups).toHaveLength(2);
  });

  it.each([
    ["not signed", (frames: readonly Buffer[]) => [lookupFrame(1), frames[0]]],
    ["altered", (frames: readonly Buffer[]) => [altered(frames[0] as Buffer)]],
    ["sent twice", (frames: readonly Buffer[]) => [frames[0], frames[0]]],
    ["dropped", (frames: readonly Buffer[]) => [frames[1]]],
    ["swapped", (frames: readonly Buffer[]) => [frames[1], frames[0]]],
    ["too short for a MAC", () => [hex("00")]],
  ])("that is a stream ends when a message was %s", async (_name, tamper) => {
    const { client, sign, host, warnings } = await secretNode({ foreignServer });
    const signed = new SignedCall(sign(messageMethods.exchange.path));
    const seal = new StreamSeal(signed, "client");
    const stream = client.stream(messageMethods.exchange, signed);
    const frames = [seal.seal(lookupFrame(1)), seal.seal(lookupFrame(2))];
    for (const message of tamper(frames)) stream.send(message as Buffer);
    expect(await stream.ended).toMatchObject({
      code: "UNAUTHENTICATED",
      details: "stream message has an invalid signature",
    });
    expect(host.lookups.length).toBeLessThanOrEqual(1);
    expect(warnings).toMatchObject([{ kind: "refused" }]);
  });
});

it("refuses an unsigned call before its message arrives", async () => {
  const { url } = await secretNode();
  const session = connect(url.replace("grpc:", "http:"));
  cleanups.push(() => session.destroy());
  const request = session.request(
    {
      ":method": "POST",
      ":path": messageMethods.invalidate.path,
      "content-type": "application/grpc",
      te: "trailers",
    },
    { endStream: false },
  );
  // The head of a message whose body is never sent.
  request.write(hex("00 00100000"));
  const headers = await new Promise<IncomingHttpHeaders>((resolve, reject) => {
    request.on("response", resolve);
    request.on("error", reject);
    session.on("error", reject);
  });
  expect(headers["grpc-status"]).toBe("16");
});

function altered(message: Buffer): Buffer {
  const copy = Buffer.from(message);
  (copy[copy.length - 20] as number) ^= 1;
  return copy;
}

describe("an impostor without the secret", () => {
  async function impostor(answering: {
    readonly exchange?: (call: ServerDuplexStream<Buffer, Buffer>) => void;
    readonly invalidate?: Buffer;
  }) {
    const server = new Server();
    server.addService(
      { exchange: messageMethods.exchange, invalidate: messageMethods.invalidate },
      {
        exchange: (call: ServerDuplexStream<Buffer, Buffer>) => answering.exchange?.(call),
        invalidate: (_call: unknown, callback: (error: null, bytes: Buffer) => void) =>
          callback(null, answering.invalidate ?? Buffer.alloc(0)),
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    const selfUrl = "127.0.0.1:1";
    const peers = createGrpcPeers({
      selfUrl,
      peerUrls: [selfUrl, `127.0.0.1:${port}`],
      secret,
      health: { failures: 1000 },
    });
    cleanups.push(
      () => peers.close(),
      () => server.forceShutdown(),
    );
    return peers.peers()[0];
  }

  it("cannot answer a lookup", async () => {
    const peer = await impostor({
      exchange: (call) => {
        call.on("data", (frame: Buffer) => call.write(answerFrame(frame.readUInt32LE(4))));
        call.on("error", () => {});
      },
    });
    await expect(peer?.lookup(lookup)).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
      message: expect.stringContaining("response signature is invalid"),
    });
  });

  it("cannot acknowledge an invalidation", async () => {
    const peer = await impostor({ invalidate: hex("50010200 00000000 04 0000") });
    const call = peer?.invalidate(
      { group: "g", target: { kind: "all" }, fence: 1 },
      { timeoutMs: 4000 },
    );
    await expect(call).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
      message: expect.stringContaining("response signature is invalid"),
    });
  });
});

describe("openHealth", () => {
  it("lets unsigned health checks in, and no other unsigned call", async () => {
    const { client } = await secretNode({ openHealth: true });
    expect(await client.unary(messageMethods.check, nothing)).toMatchObject({ code: "OK" });
    expect(await client.unary(messageMethods.ping, nothing)).toMatchObject({
      code: "UNAUTHENTICATED",
    });
  });
});

describe("without a secret or certificates, a node on loopback", () => {
  it("shares a secret with the other processes of its host", async () => {
    expect(await ask({}, {})).toBe("answered");
    expect(await ask({ secret: hostSecret() }, {})).toBe("answered");
  });

  it("refuses everybody else on loopback", async () => {
    expect(await ask({ secret }, {})).toMatch(/UNAUTHENTICATED.*signature is invalid/);
    expect(await ask({ insecure: true }, {})).toMatch(/UNAUTHENTICATED.*signature is missing/);
  });

  it("answers Get and health checks without a signature with openLoopback, and nothing else", async () => {
    const { client, host } = await secretNode({ openLoopback: true });
    const { get, check, ping, lookup: lookupMethod, invalidate, handOver } = messageMethods;
    expect(await client.unary(check, nothing)).toMatchObject({ code: "OK" });
    const message = Buffer.from("0a016712016b", "hex"); // group "g", key "k"
    expect(await client.unary(get, message)).toMatchObject({ code: "OK" });
    expect(host.lookups).toHaveLength(1);
    for (const method of [ping, lookupMethod, invalidate, handOver]) {
      expect(await client.unary(method, nothing)).toMatchObject({ code: "UNAUTHENTICATED" });
    }
  });
});

describe("without a secret or certificates, a node with another address", () => {
  const selfUrl = "node-1.example.com:50051";
  const collect = () => {
    const warnings: GrpcPeersWarning[] = [];
    const create = (options: Partial<GrpcPeersOptions>) => {
      const self = options.selfUrl ?? selfUrl;
      const onWarning = (warning: GrpcPeersWarning): number => warnings.push(warning);
      const peers = createGrpcPeers({ selfUrl: self, peerUrls: [self], onWarning, ...options });
      cleanups.push(() => peers.close());
      return peers;
    };
    return { warnings, create };
  };

  it("answers nobody, and warns", async () => {
    const { warnings, create } = collect();
    const peers = create({});
    peers.attach(createScriptedHost());
    const { port } = await peers.listen({ host: "127.0.0.1", port: 0 });
    expect(warnings).toMatchObject([{ kind: "unprotected" }]);
    const client = createRawClient(port);
    cleanups.push(() => client.close());
    expect(await client.unary(messageMethods.ping, nothing)).toMatchObject({
      code: "UNAUTHENTICATED",
    });
  });

  it("does not warn when a secret or insecure is set, or all nodes are on loopback", () => {
    const { warnings, create } = collect();
    create({ secret });
    create({ insecure: true });
    create({ selfUrl: "localhost:50051" });
    create({ selfUrl: "grpc://127.0.0.1:50051" });
    const local = create({ selfUrl: "[::1]:50051" });
    expect(warnings).toEqual([]);
    local.updatePeers(["[::1]:50051", selfUrl]);
    expect(warnings).toMatchObject([
      { kind: "unprotected", message: expect.stringContaining(`${selfUrl} does not share`) },
    ]);
  });
});

describe("with openLoopback, a call", () => {
  const admissions = (openLoopback: boolean): Admissions =>
    new Admissions({
      verifier: undefined,
      requireClientCertificate: false,
      insecure: false,
      openLoopback,
      openHealth: false,
      hostnames: new Set(["node-1.example.com"]),
      refusals: new RefusalLog({
        clock: { now: () => 0, schedule: () => () => {} },
        onWarning: () => {},
      }),
    });
  const call = (
    peer: string,
    {
      host = "localhost:50051",
      metadata = {},
    }: { host?: string; metadata?: Record<string, string> } = {},
  ) =>
    ({
      metadata: { get: (key: string) => (metadata[key] === undefined ? [] : [metadata[key]]) },
      getPath: () => messageMethods.get.path,
      getPeer: () => peer,
      getHost: () => host,
      getAuthContext: () => ({}),
    }) as never;
  const isAdmitted = (openLoopback: boolean, incoming: never): boolean => {
    try {
      admissions(openLoopback).admit(incoming);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: "UNAUTHENTICATED" });
      return false;
    }
  };

  it.each([
    ["127.0.0.1:4711", true],
    ["127.8.9.10:4711", true],
    ["::1:4711", true],
    ["::ffff:127.0.0.1:4711", true],
    ["10.0.0.1:4711", false],
    ["::ffff:10.0.0.1:4711", false],
    ["fe80::1:4711", false],
    ["1127.0.0.1:4711", false],
    ["unknown", false],
    ["", false],
  ])("from %s counts as loopback: %s", (peer, isLoopback) => {
    expect(isAdmitted(true, call(peer))).toBe(isLoopback);
    expect(isAdmitted(false, call(peer))).toBe(false);
  });

  it.each(["forwarded", "x-forwarded-for", "via", "x-real-ip"])(
    "with the header %s of a proxy does not count as loopback",
    (header) => {
      const forwarded = call("127.0.0.1:4711", { metadata: { [header]: "10.0.0.1" } });
      expect(isAdmitted(true, forwarded)).toBe(false);
    },
  );

  it.each([
    ["node-1.example.com:50051", true],
    ["[::1]:50051", true],
    ["rebound.example.com:50051", false],
    ["192.0.2.1:50051", false],
  ])("to %s is accepted: %s", (host, isAccepted) => {
    expect(isAdmitted(true, call("127.0.0.1:4711", { host }))).toBe(isAccepted);
  });
});

it("does not cache a refusal, and falls back to the local origin where the group allows it", async () => {
  const ports = await freePorts(2);
  const urls = ports.map((port) => `127.0.0.1:${port}`);
  const [first, second] = urls as [string, string];
  const peers = createGrpcPeers({ selfUrl: first, peerUrls: urls, secret: otherSecret });
  const owner = createGrpcPeers({ selfUrl: second, peerUrls: urls, secret });
  await owner.listen();
  const cache = createGroupCache({ peers });
  const ownerCache = createGroupCache({ peers: owner });
  cleanups.push(
    () => cache.close(),
    () => ownerCache.close(),
  );
  const strict = cache.group("strict", { load: () => "local", onPeerFailure: "fail" });
  const lenient = cache.group("lenient", { load: () => "local" });
  let key = "k";
  while (peers.pick(key) === undefined) key += "k";
  await expect(strict.get(key)).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
  expect(Buffer.from((await lenient.get(key)) ?? []).toString()).toBe("local");
  expect(ownerCache.stats()).toEqual({});
});
