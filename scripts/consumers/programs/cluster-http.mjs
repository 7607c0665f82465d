import http from "node:http";
import { createHttpPeers } from "@parsec/transport-http";
import { tryCluster } from "./cluster.mjs";
import { freePorts } from "./free-ports.mjs";

const urls = (await freePorts(3)).map((port) => `http://127.0.0.1:${port}`);
const close = await tryCluster("a cluster over HTTP", {
  urls,
  startNode: async (peerUrls, index) => {
    const selfUrl = peerUrls[index];
    const peers = createHttpPeers({ selfUrl, peerUrls, secret: "sixteen characters or more" });
    const server = http.createServer(peers.handler);
    await new Promise((resolve) => server.listen(new URL(selfUrl).port, "127.0.0.1", resolve));
    const stop = async () => {
      server.closeAllConnections?.();
      server.close();
    };
    return { peers, stop };
  },
});
await close();
