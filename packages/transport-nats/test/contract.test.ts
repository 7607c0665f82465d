import { randomUUID } from "node:crypto";
import { describeOnServers, describeWithPrograms, type NatsServer } from "@parsec/nats-fixtures";
import { describePeerContract } from "@parsec/testkit";
import { afterAll, beforeAll } from "vitest";
import { createNatsPeers, type NatsPeers, type NatsPeersOptions } from "../src/index.ts";
import { until } from "./until.ts";

const limits = { maxKeyBytes: 2000, maxValueBytes: 1_100_000 };
const ids = ["http://node-1:8080", "node 2", "node-3"];

async function connected(
  server: { readonly url: string },
  over: Partial<NatsPeersOptions>,
): Promise<{ nodes: { picker: NatsPeers }[]; close(): Promise<void> }> {
  const cluster = randomUUID();
  const pickers = ids.map((nodeId) =>
    createNatsPeers({ servers: server.url, cluster, nodeId, limits, ...over }),
  );
  await Promise.all(pickers.map((picker) => picker.ready()));
  await until(() => pickers.every((picker) => picker.stats().members.length === ids.length));
  return {
    nodes: pickers.map((picker) => ({ picker })),
    async close() {
      await Promise.all(pickers.map((picker) => picker.close()));
    },
  };
}

describeOnServers((server) => {
  describePeerContract({
    name: "NATS, members listed",
    limits,
    setup: () => connected(server, { membership: { static: ids } }),
  });

  describePeerContract({
    name: "NATS, members in a bucket, messages signed",
    limits,
    setup: () =>
      connected(server, { membership: { kv: { joinDelayMs: 5 } }, secret: "0123456789abcdef" }),
  });
});

describeWithPrograms((startServer) => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startServer({ config: "max_payload: 4096" });
  });
  afterAll(() => server.dispose());

  describePeerContract({
    name: "NATS, messages of 4 KiB at most",
    limits,
    setup: () =>
      connected(server, {
        membership: { static: ids },
        secret: "0123456789abcdef",
        limits: { ...limits, answerWindowBytes: 16_384 },
      }),
  });
});
