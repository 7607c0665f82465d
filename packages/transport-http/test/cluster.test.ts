import { describeCluster } from "@parsec/testkit";
import { startCluster } from "./http-cluster.ts";

describeCluster({
  name: "HTTP",
  async startCluster(count) {
    const { nodes, close } = await startCluster(count, {
      secret: "a secret for this test only",
      health: { failures: 1 },
      connections: { maxPerPeer: 4, maxUnanswered: 2 },
    });
    return {
      nodes: nodes.map(({ peers, server }) => ({ picker: peers, stop: () => server.close() })),
      close,
    };
  },
});
