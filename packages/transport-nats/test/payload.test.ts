import { connect } from "@nats-io/transport-node";
import { describeWithPrograms, type NatsServer } from "@parsec/nats-fixtures";
import { createScriptedHost } from "@parsec/testkit";
import { afterEach, expect, it, vi } from "vitest";
import { createNatsPeers, type NatsPeers, type NatsPeersOptions } from "../src/index.ts";
import { quickMembership, startNodes } from "./nats-nodes.ts";
import { until } from "./until.ts";

vi.setConfig({ testTimeout: 30_000 });
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const lookup = { group: "g", key: "k", input: undefined, fence: 0, timeoutMs: 20_000 };

/** Two nodes, "asker" and "owner", and the owner's host. */
async function pair(server: NatsServer, over: Partial<NatsPeersOptions> = {}) {
  const ids = ["asker", "owner"];
  const [asker, owner] = ids.map((nodeId) => {
    const peers = createNatsPeers({
      servers: server.url,
      cluster: "c",
      nodeId,
      membership: { static: ids },
      closeTimeoutMs: 200,
      ...over,
    });
    cleanups.push(() => peers.close());
    return peers;
  }) as [NatsPeers, NatsPeers];
  const host = createScriptedHost();
  owner.attach(host);
  asker.attach(createScriptedHost());
  await Promise.all([asker.ready(), owner.ready()]);
  const [peer] = asker.peers();
  if (peer === undefined) throw new Error("no peer");
  return { asker, owner, peer, host };
}

/** Records subject and length of every message on the server. */
async function listen(server: NatsServer) {
  const client = await connect({ servers: server.url });
  cleanups.push(() => client.close());
  const said: { readonly subject: string; readonly bytes: number }[] = [];
  client.subscribe("parsec.>", {
    callback: (_error, message) => {
      said.push({ subject: message.subject, bytes: message.data.length });
    },
  });
  await client.flush();
  return said;
}

describeWithPrograms((startServer) => {
  it("keeps every message within the server's limit, requests and answers alike", async () => {
    const server = await startServer({ config: "max_payload: 4096" });
    cleanups.push(() => server.dispose());
    const said = await listen(server);
    const { peer, host } = await pair(server, { secret: "0123456789abcdef" });
    const value = Buffer.alloc(300_000, "v");
    const input = Buffer.alloc(50_000, "i");
    host.onLookup(({ key }) => ({
      value: key === "big" ? value : Buffer.from(key),
      ttlMs: 1,
      fence: 0,
      ratePerMinute: 0,
    }));
    const keys = Array.from({ length: 500 }, (_, index) => `key ${index} ${"x".repeat(100)}`);
    const [big, ...small] = await Promise.all(
      ["big", ...keys].map((key) =>
        peer.lookup({ ...lookup, key, input: key === "big" ? input : undefined }),
      ),
    );
    expect(Buffer.compare(big?.value as Uint8Array, value)).toBe(0);
    expect(small.map((answer) => Buffer.from(answer.value as Uint8Array).toString())).toEqual(keys);
    expect(Buffer.compare(host.lookups[0]?.lookup.input as Uint8Array, input)).toBe(0);
    const longest = Math.max(...said.map(({ bytes }) => bytes));
    expect(longest).toBeLessThanOrEqual(4096);
    expect(longest).toBeGreaterThan(3500);
    const target = { kind: "keys", keys } as const;
    await peer.invalidate({ group: "g", target, fence: 1 }, { timeoutMs: 5000 });
    expect(host.invalidations).toEqual([{ group: "g", target, fence: 1 }]);
  });

  it("sends a frame as one message where the server's limit allows it", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    const said = await listen(server);
    const { peer, host } = await pair(server);
    host.onLookup(({ key }) => ({ value: Buffer.from(key), ttlMs: 1, fence: 0, ratePerMinute: 0 }));
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => peer.lookup({ ...lookup, key: `${index}` })),
    );
    await until(() => said.length >= 2);
    expect(said.map(({ subject }) => subject.split(".")[3])).toEqual(["ask", "reply"]);
  });

  it("finds members on a server with a small message limit", async () => {
    const server = await startServer({ config: "max_payload: 4096" });
    cleanups.push(() => server.dispose());
    const cluster = await startNodes({
      servers: server.url,
      ids: ["a", "b", "c"],
      membership: quickMembership,
    });
    await cluster.close();
  });

  it("limits the unread bytes of an answer, and continues when they are read", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    const said = await listen(server);
    const windowBytes = 64 * 1024;
    const { peer, host } = await pair(server, { limits: { answerWindowBytes: windowBytes } });
    const value = Buffer.alloc(100_000, "v");
    host.onLookup(() => ({ value, ttlMs: 1, fence: 0, ratePerMinute: 0 }));
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => peer.lookup({ ...lookup, key: `${index}` })),
    );
    for (const answer of answers) expect(answer.value).toHaveLength(value.length);
    await until(() => said.filter(({ bytes }) => bytes > 1000).length >= 60);
    // Between two `more` messages, the owner never sends more than the window.
    let underWay = 0;
    for (const { subject, bytes } of said) {
      underWay = subject.endsWith(".ask") ? 0 : underWay + bytes;
      expect(underWay).toBeLessThanOrEqual(windowBytes * 1.5);
    }
  });

  it("finishes a long answer while the owner is closing", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    const { peer, host, owner } = await pair(server, {
      closeTimeoutMs: 20_000,
      limits: { answerWindowBytes: 16_384 },
    });
    const value = Buffer.alloc(1_000_000, "v");
    let answer = (): void => {};
    host.onLookup(
      () =>
        new Promise((resolve) => {
          answer = () => resolve({ value, ttlMs: 1, fence: 0, ratePerMinute: 0 });
        }),
    );
    const asked = peer.lookup(lookup);
    await until(() => host.lookups.length === 1);
    const closing = owner.close();
    answer();
    expect((await asked).value).toHaveLength(value.length);
    await closing;
  });

  it("does not block other lookups behind a slow origin", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    const { peer, host } = await pair(server);
    let release = (): void => {};
    host.onLookup(({ key }) => {
      const answer = { value: Buffer.from(key), ttlMs: 1, fence: 0, ratePerMinute: 0 };
      if (key !== "slow") return answer;
      return new Promise((resolve) => {
        release = () => resolve(answer);
      });
    });
    let slowIsDone = false;
    const slow = peer.lookup({ ...lookup, key: "slow" }).finally(() => {
      slowIsDone = true;
    });
    for (let index = 0; index < 50; index++) await peer.lookup({ ...lookup, key: `${index}` });
    expect(slowIsDone).toBe(false);
    release();
    expect(Buffer.from((await slow).value as Uint8Array).toString()).toBe("slow");
  });

  it("rejects requests beyond maxRequests of the owner", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    const { peer, host } = await pair(server, {
      limits: { maxRequests: 2, maxLookupsSent: 1, maxUnanswered: 3 },
    });
    host.onLookup(() => new Promise(() => {}));
    const codes = await Promise.all(
      ["1", "2", "3"].map((key) =>
        peer
          .lookup({ ...lookup, key, timeoutMs: 300 })
          .catch((error: { code: string }) => error.code),
      ),
    );
    expect(codes.sort()).toEqual(["OVERLOADED", "TIMEOUT", "TIMEOUT"]);
  });

  it("rejects with PEER_UNREACHABLE where the message limit is too small", async () => {
    const server = await startServer({ config: "max_payload: 200" });
    cleanups.push(() => server.dispose());
    const { peer } = await pair(server);
    await expect(peer.lookup(lookup)).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
      message: expect.stringContaining("max_payload"),
    });
  });
});
