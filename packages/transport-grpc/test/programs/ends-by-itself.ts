import { createGroupCache } from "@parsec/core";
import { createGrpcPeers } from "../../src/index.ts";

/* Two nodes that send each other lookups and close. The process must exit by itself then. */

const peerUrls = process.argv.slice(2);
const nodes = peerUrls.map((selfUrl) => createGrpcPeers({ selfUrl, peerUrls }));
const caches = nodes.map((peers) => createGroupCache({ peers }));
const groups = caches.map((cache) => cache.group("g", { load: (key) => key }));
await Promise.all(nodes.map((peers) => peers.listen()));
for (const group of groups) {
  for (let key = 0; key < 20; key++) await group.get(`key ${key}`);
  await group.invalidate("key 1");
}
// One closes during a lookup, so that the other opens its circuit breaker and schedules a probe.
await caches[1]?.close();
for (let key = 100; key < 120; key++) await groups[0]?.get(`key ${key}`);
await caches[0]?.close();
process.stdout.write("closed\n");
