import { describePeerContract } from "@parsec/testkit";
import type { HttpPeersOptions } from "../src/index.ts";
import { startCluster } from "./http-cluster.ts";

const limits = { maxKeyBytes: 2000, maxValueBytes: 2_000_000 };

async function setup(options: Partial<HttpPeersOptions> = {}) {
  const cluster = await startCluster(3, { limits, ...options });
  return {
    nodes: cluster.nodes.map(({ peers }) => ({ picker: peers })),
    close: () => cluster.close(),
  };
}

describePeerContract({ name: "HTTP", limits, setup: () => setup() });

describePeerContract({
  name: "HTTP, signed, in the ring of Go",
  limits,
  setup: () => setup({ secret: "a secret for this test only", placement: "groupcache" }),
});

describePeerContract({
  name: "HTTP with four connections and one lookup a request",
  limits,
  setup: () => setup({ connections: { maxPerPeer: 4 }, limits: { ...limits, maxLookupsSent: 1 } }),
});

describePeerContract({
  name: "HTTP over Go's wire",
  limits,
  setup: () => setup({ peerWire: "golang", placement: "groupcache" }),
  skip: [
    ...[
      "the input arrives byte for byte, and a missing input as missing",
      "the fence arrives in both directions with all its 53 bits",
      "absent values carry ttl and fence too",
      "the timeout of a lookup arrives at the host",
    ].map((name) => ({ case: name, reason: "Go's wire has no field for it" })),
    ...[
      "an invalidation of one key is applied before it is acknowledged",
      "an invalidation of many keys with special characters is applied before it is acknowledged",
      "an invalidation of a thousand keys is applied before it is acknowledged",
      "an invalidation of a tag is applied before it is acknowledged",
      "an invalidation of the whole group is applied before it is acknowledged",
      "an invalidation that other nodes missed arrives with their ids, for the receiver to retry",
      "an invalidation of an unknown group rejects with NO_SUCH_GROUP",
      "each of 100 concurrent invalidations is acknowledged after it was applied",
      "a retried invalidation arrives marked as a retry",
      "the trace context of an invalidation arrives with it, unless it is invalid",
    ].map((name) => ({ case: name, reason: "Go's wire has no invalidation" })),
    ...[
      "a memory-only lookup arrives as such, and a missing entry is answered as missing",
      "the entries of a hand-over arrive complete, and the ticket is returned",
      "a first part of a hand-over, without ticket and entries, requests a ticket",
      "a hand-over skips entries beyond the limits and sends the others",
      "a hand-over that the peer refuses rejects with the peer's error",
    ].map((name) => ({
      case: name,
      reason: "Go's wire has no hand-over and no looks into memory",
    })),
  ],
});
