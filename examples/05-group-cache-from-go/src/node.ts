import { createServer } from "node:http";
import { clusterConfigFromEnv, createGroupCache } from "@parsec/core";
import { createHttpPeers } from "@parsec/transport-http";

/* One node. The README compares this program with one for Go's groupcache. */

const { selfUrl, peerUrls } = clusterConfigFromEnv();
const peers = createHttpPeers({
  selfUrl,
  peerUrls,
  placement: "groupcache",
  // Nodes of Go cannot sign their requests: see the README.
  openLoopback: true,
});
const cache = createGroupCache({ peers });
const factors = cache.group("factors", {
  maxBytes: 64 << 20,
  load: (key) => factorize(Number(key)),
});

// The handler serves peers; GET /360 and GET /stats belong to the application.
const server = createServer((request, response) => {
  peers.handler(request, response, () => {
    answer(request.url?.slice(1) ?? "").then(
      (body) => response.end(body),
      () => response.writeHead(500).end(),
    );
  });
});

async function answer(path: string): Promise<Uint8Array | string | undefined> {
  return path === "stats" ? JSON.stringify(factors.stats()) : await factors.get(path);
}

/** "360" becomes "2 2 2 3 3 5". Slow enough for large numbers to be worth caching. */
function factorize(number: number): string {
  const found: number[] = [];
  let rest = number;
  for (let divisor = 2; divisor * divisor <= rest; divisor += 1) {
    for (; rest > divisor && rest % divisor === 0; rest /= divisor) found.push(divisor);
  }
  return [...found, rest].join(" ");
}

async function stop(): Promise<void> {
  server.close();
  await cache.close();
  process.exit();
}
process.once("SIGTERM", stop);
process.once("disconnect", stop); // the parent process has ended

const { hostname, port } = new URL(selfUrl);
server.listen(Number(port), hostname, () => process.send?.("ready"));
