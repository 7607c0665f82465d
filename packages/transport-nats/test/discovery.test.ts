import { randomUUID } from "node:crypto";
import { describeOnServers } from "@parsec/nats-fixtures";
import { describeDiscovery } from "@parsec/testkit";
import { beforeEach } from "vitest";
import { createNatsPeers } from "../src/index.ts";

describeOnServers((server) => {
  let cluster = "";
  beforeEach(() => {
    cluster = randomUUID();
  });

  describeDiscovery({
    name: "NATS",
    async startNode({ host, port, discovery, onWarning }) {
      const peers = createNatsPeers({
        servers: server.url,
        cluster,
        nodeId: `${host}:${port}`,
        membership: { discovery },
        onWarning: ({ kind, message }) => {
          if (kind === "membership") onWarning(message);
        },
      });
      await peers.ready();
      return { picker: peers, close: async () => {} };
    },
  });
});
