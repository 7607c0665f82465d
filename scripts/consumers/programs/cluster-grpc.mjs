import { createGrpcPeers } from "@parsec/transport-grpc";
import { tryCluster } from "./cluster.mjs";
import { freePorts } from "./free-ports.mjs";

const urls = (await freePorts(3)).map((port) => `grpc://127.0.0.1:${port}`);
const close = await tryCluster("a cluster over gRPC", {
  urls,
  startNode: async (peerUrls, index) => {
    const selfUrl = peerUrls[index];
    const peers = createGrpcPeers({ selfUrl, peerUrls, secret: "sixteen characters or more" });
    await peers.listen();
    return { peers, stop: async () => {} };
  },
});
await close();
