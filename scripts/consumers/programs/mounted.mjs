// Mounts the peers of two nodes in a web framework, and checks that the application still gets its requests.
import http from "node:http";
import { createHttpPeers } from "@parsec/transport-http";
import { expectEqual, tryCluster } from "./cluster.mjs";
import { freePorts } from "./free-ports.mjs";

/** `mount(peers, port)` starts the application, which echoes JSON at `POST /echo`, and resolves to what stops it. */
export async function tryMount(name, mount) {
  const urls = (await freePorts(2)).map((port) => `http://127.0.0.1:${port}`);
  const close = await tryCluster(name, {
    urls,
    startNode: async (peerUrls, index) => {
      const selfUrl = peerUrls[index];
      const peers = createHttpPeers({ selfUrl, peerUrls, secret: "sixteen characters or more" });
      return { peers, stop: await mount(peers, Number(new URL(selfUrl).port)) };
    },
  });
  const echoed = await fetch(`${urls[0]}/echo`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"a":1}',
  });
  expectEqual(name, "what the application's own route answers", await echoed.text(), '{"a":1}');
  const stranger = await fetch(`${urls[0]}/_groupcache/users/alice`);
  expectEqual(name, "status for a stranger", stranger.status, 401);
  await close();
}

/** Starts a server of `node:http` and resolves to what stops it. */
export function listen(listener, port) {
  const server = http.createServer(listener);
  const stop = async () => {
    server.closeAllConnections();
    server.close();
  };
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(stop)));
}
