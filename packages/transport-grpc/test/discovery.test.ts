import { describeDiscovery } from "@parsec/testkit";
import { createGrpcPeers } from "../src/index.ts";

describeDiscovery({
  name: "gRPC",
  async startNode({ host, port, discovery, onWarning }) {
    const peers = createGrpcPeers({
      selfUrl: `grpc://${host}:${port}`,
      discovery,
      onWarning: ({ kind, message }) => {
        if (kind === "discovery") onWarning(message);
      },
    });
    await peers.listen({ host });
    return { picker: peers, close: async () => {} };
  },
});
