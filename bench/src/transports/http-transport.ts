import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createHttpPeers } from "@parsec/transport-http";
import { Pool } from "undici";
import { freePort } from "../processes/loopback-port.ts";
import type { BenchTransport } from "./bench-transport.ts";

export const httpTransport: BenchTransport = {
  needsNats: false,
  bareName: "bare undici request to node:http",
  newId: async () => `http://127.0.0.1:${await freePort()}`,
  async connect({ id, members }) {
    const peers = createHttpPeers({ selfUrl: id, peerUrls: members, insecure: true });
    await listen(createServer(peers.handler), Number(new URL(id).port));
    return peers;
  },
  async serveBare(value) {
    const headers = { "content-type": "application/octet-stream", "content-length": value.length };
    const port = await listen(
      createServer((_request, response) => {
        response.writeHead(200, headers);
        response.end(value);
      }),
      0,
    );
    return `http://127.0.0.1:${port}`;
  },
  connectBare(target) {
    const pool = new Pool(target, { connections: 64 });
    return Promise.resolve({
      async get(key) {
        const { body } = await pool.request({ method: "GET", path: `/${key}` });
        return await body.arrayBuffer();
      },
      close: () => pool.close(),
    });
  },
};

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
