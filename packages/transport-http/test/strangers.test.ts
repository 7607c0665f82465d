import { setTimeout as pause } from "node:timers/promises";
import { createGroupCache, type GroupCache } from "@parsec/core";
import { afterEach, expect, it } from "vitest";
import { createHttpPeers } from "../src/index.ts";
import { startCluster, startServer, type TestNode } from "./http-cluster.ts";
import { RawConnection } from "./raw-http.ts";

/** More than the default of `maxRequests` in the campaign; otherwise more than the limit of this test. */
const [strangers, maxRequests] = process.env.PARSEC_CAMPAIGN === "1" ? [4200, 4096] : [300, 150];
const honestCallers = 100;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const madeUp = (): string =>
  `Parsec-HMAC-SHA256 ${Date.now()}.0123456789abcdef.1.${"A".repeat(43)}.${"A".repeat(43)}`;

/** Opens a request with a made-up signature and the first byte of its body. */
function openRequest(port: number): RawConnection {
  const connection = new RawConnection(port);
  connection.write(
    [
      "POST /_groupcache/ HTTP/1.1",
      "Host: 127.0.0.1",
      `Authorization: ${madeUp()}`,
      "Content-Type: application/vnd.parsec.frame",
      `Content-Length: ${4 * 1024 * 1024 - 1}`,
      "",
      "P",
    ].join("\r\n"),
  );
  return connection;
}

it("refuses made-up signatures before their bodies, and no honest caller meanwhile", {
  timeout: 600_000,
}, async () => {
  const cluster = await startCluster(2, {
    secret: "a secret for this test",
    limits: { maxRequests },
    // Both sides of the attack run in this process, which may be busy for long.
    health: { silenceMs: 600_000 },
    connections: { connectTimeoutMs: 60_000 },
  });
  const [asking, owning] = cluster.nodes as [TestNode, TestNode];
  const [asker, owner] = [asking, owning].map(({ peers }) =>
    createGroupCache({ peers, handOverMs: 0 }),
  ) as [GroupCache, GroupCache];
  cleanups.push(
    () => cluster.close(),
    () => asker.close(),
    () => owner.close(),
  );
  owner.group("g", { load: (key) => `owner's ${key}` });
  const group = asker.group("g", {
    load: () => "asker's",
    onPeerFailure: "fail",
    timeoutMs: 60_000,
  });
  let refused = 0;
  let opened = 0;
  // As many at once as the system's queue of connections takes.
  const attacks = Array.from({ length: 200 }, async () => {
    while (opened++ < strangers) {
      const connection = openRequest(owning.server.port);
      const response = await connection.response();
      expect([response.status, response.json().code]).toEqual([401, "UNAUTHENTICATED"]);
      // The node closes the connection itself: the rest of the body is not read.
      await connection.closed;
      refused++;
    }
  });
  const honest = async (_: unknown, caller: number): Promise<void> => {
    for (let round = 0; round < 3 || refused < strangers; round++) {
      let key = `${caller}-${round}`;
      while (asking.peers.pick(key) === undefined) key += "k";
      expect(Buffer.from((await group.get(key)) ?? []).toString()).toBe(`owner's ${key}`);
      // A caller with other work: without a pause, the callers would leave the strangers no time.
      await pause(5);
    }
  };
  await Promise.all([...attacks, ...Array.from({ length: honestCallers }, honest)]);
  expect(refused).toBe(strangers);
});

it("counts no request of a stranger, however many are open", async () => {
  const server = await startServer();
  cleanups.push(() => server.close());
  const options = { secret: "a secret for this test", limits: { maxRequests: 1 } };
  const peers = createHttpPeers({ selfUrl: server.url, peerUrls: [server.url], ...options });
  const cache = createGroupCache({ peers });
  cleanups.push(() => cache.close());
  server.listener = peers.handler;
  for (let opened = 0; opened < 3; opened++) {
    const connection = openRequest(server.port);
    cleanups.push(() => connection.end());
    expect((await connection.response()).status).toBe(401);
  }
});
