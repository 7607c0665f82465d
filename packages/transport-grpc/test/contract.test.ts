import { Server, ServerCredentials } from "@grpc/grpc-js";
import { describePeerContract } from "@parsec/testkit";
import { createGrpcPeers } from "../src/index.ts";
import { type NodesOptions, startNodes } from "./grpc-nodes.ts";

const limits = { maxKeyBytes: 2000, maxValueBytes: 3_000_000 };

async function setupNodes(options: NodesOptions) {
  const nodes = await startNodes({ ...options, limits });
  return {
    nodes: nodes.peers.map((picker) => ({ picker })),
    close: () => nodes.close(),
  };
}

describePeerContract({ name: "gRPC", limits, setup: () => setupNodes({}) });

describePeerContract({
  name: "gRPC with a shared secret",
  limits,
  setup: () => setupNodes({ secret: "a secret of three nodes" }),
});

describePeerContract({
  name: "gRPC on the application's servers",
  limits,
  async setup() {
    const servers = [new Server(), new Server(), new Server()];
    const ports = await Promise.all(servers.map(bind));
    const ids = ports.map((port) => `127.0.0.1:${port}`);
    const pickers = ids.map((selfUrl) => createGrpcPeers({ selfUrl, peerUrls: ids, limits }));
    for (const [index, picker] of pickers.entries()) picker.addTo(servers[index] as Server);
    return {
      nodes: pickers.map((picker) => ({ picker })),
      async close() {
        await Promise.all(pickers.map((picker) => picker.close()));
        for (const server of servers) server.forceShutdown();
      },
    };
  },
});

function bind(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}
