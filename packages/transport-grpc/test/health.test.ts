import { createScriptedHost } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { messageMethods } from "../src/grpc-wire.ts";
import { createGrpcPeers, type GrpcPeersOptions } from "../src/index.ts";
import { lookupFrame } from "./frames.ts";
import { freePorts } from "./free-ports.ts";
import { createRawClient, type RawClient, type RawStream } from "./raw-client.ts";
import { until } from "./until.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startNode(options: Partial<GrpcPeersOptions> = {}) {
  const [port = 0] = await freePorts(1);
  const selfUrl = `localhost:${port}`;
  const peers = createGrpcPeers({ selfUrl, peerUrls: [selfUrl], insecure: true, ...options });
  await peers.listen();
  const client = createRawClient(port);
  cleanups.push(
    () => peers.close(),
    () => client.close(),
  );
  return { peers, client };
}

const statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const askAbout = (service: string): Buffer =>
  Buffer.concat([Buffer.of(0x0a, service.length), Buffer.from(service)]);
const statusIn = (message: Buffer | undefined): string =>
  statuses[message?.[1] ?? -1] ?? "no answer";

async function check(client: RawClient, service: string): Promise<string> {
  const { code, answer } = await client.unary(messageMethods.check, askAbout(service));
  return code === "OK" ? statusIn(answer) : code;
}

function watch(client: RawClient, service: string): RawStream {
  const stream = client.stream({ ...messageMethods.watch, requestStream: true });
  stream.send(askAbout(service));
  stream.call.end();
  return stream;
}

const said = (stream: RawStream): string[] => stream.messages.map(statusIn);

describe("a check", () => {
  it.each(["", "readiness", "parsec.v1.Peers", "groupcachepb.GroupCache"])(
    "of %j reports whether the node answers peers",
    async (service) => {
      const { peers, client } = await startNode();
      expect(await check(client, service)).toBe("NOT_SERVING");
      peers.attach(createScriptedHost());
      expect(await check(client, service)).toBe("SERVING");
    },
  );

  it("of liveness is SERVING while the process runs", async () => {
    const { client } = await startNode();
    expect(await check(client, "liveness")).toBe("SERVING");
  });

  it("of an unknown service is NOT_FOUND", async () => {
    const { client } = await startNode();
    expect(await check(client, "something else")).toBe("NOT_FOUND");
  });
});

describe("a watcher", () => {
  it("receives the status and each change, until the node closes", async () => {
    const { peers, client } = await startNode();
    const watchers = ["", "readiness", "liveness"].map((service) => watch(client, service));
    await until(() => watchers.every((stream) => stream.messages.length === 1));
    const host = createScriptedHost();
    let release = (): void => {};
    host.onLookup(
      () =>
        new Promise((resolve) => {
          release = () =>
            resolve({ value: Buffer.from("v"), ttlMs: 0, fence: 0, ratePerMinute: 0 });
        }),
    );
    peers.attach(host);
    await until(() => watchers[0]?.messages.length === 2);
    // A pending lookup delays close.
    const asked = client.stream(messageMethods.exchange);
    asked.send(lookupFrame(1));
    await until(() => host.lookups.length === 1);
    const closing = peers.close();
    await until(() => watchers.slice(0, 2).every((stream) => stream.messages.length === 3));
    expect(await check(client, "")).toBe("NOT_SERVING");
    expect(await check(client, "liveness")).toBe("SERVING");
    expect(await client.unary(messageMethods.ping, Buffer.alloc(0))).toMatchObject({
      code: "UNAVAILABLE",
      typed: "CLOSED",
    });
    release();
    await closing;
    const outcomes = await Promise.all(watchers.map((stream) => stream.ended));
    expect(outcomes.map(({ code }) => code)).toEqual(["OK", "OK", "OK"]);
    expect(watchers.map(said)).toEqual([
      ["NOT_SERVING", "SERVING", "NOT_SERVING"],
      ["NOT_SERVING", "SERVING", "NOT_SERVING"],
      ["SERVING"],
    ]);
    expect(asked.messages.length).toBeGreaterThan(0);
  });

  it("of an unknown service receives SERVICE_UNKNOWN, and its stream stays open", async () => {
    const { peers, client } = await startNode();
    const unknown = watch(client, "something else");
    const known = watch(client, "");
    await until(() => unknown.messages.length === 1 && known.messages.length === 1);
    peers.attach(createScriptedHost());
    await until(() => known.messages.length === 2);
    expect(said(unknown)).toEqual(["SERVICE_UNKNOWN"]);
    let ended = false;
    void unknown.ended.then(() => {
      ended = true;
    });
    expect(await check(client, "")).toBe("SERVING");
    expect(ended).toBe(false);
  });

  it("that disconnects makes room for another", async () => {
    const { client } = await startNode({ limits: { maxStreams: 1 } });
    const first = watch(client, "");
    await until(() => first.messages.length === 1);
    expect(await watch(client, "").ended).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    first.call.cancel();
    await first.ended;
    for (;;) {
      const next = watch(client, "");
      const outcome = await Promise.race([
        next.ended.then(() => "refused"),
        until(() => next.messages.length === 1).then(() => "notified"),
      ]);
      if (outcome === "notified") break;
    }
  });
});
