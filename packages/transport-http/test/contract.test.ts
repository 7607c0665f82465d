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
      "the input travels, byte for byte, and its absence too",
      "the fence travels both ways, all 53 bits of it",
      "absent values carry ttl and fence too",
      "the host learns how long the asker waits",
    ].map((name) => ({ case: name, reason: "Go's wire has no field for it" })),
    ...[
      "an invalidation of one key has been applied when it is acknowledged",
      "an invalidation of many keys, awkward ones included has been applied when it is acknowledged",
      "an invalidation of a thousand keys has been applied when it is acknowledged",
      "an invalidation of a tag has been applied when it is acknowledged",
      "an invalidation of the whole group has been applied when it is acknowledged",
      "an invalidation of a group the peer does not have is NO_SUCH_GROUP",
      "many invalidations at once are each acknowledged once applied",
      "a repeated invalidation arrives as one",
      "the trace of an invalidation arrives with it, unless it is none",
    ].map((name) => ({ case: name, reason: "Go's wire has no invalidation" })),
    ...[
      "a look into memory arrives as one, and that nothing is there travels back",
      "what a leaving node hands over arrives whole, and the ticket comes back",
      "a first part without a ticket or entries asks for a ticket",
      "a hand-over leaves out what is beyond the limits, and brings the rest",
      "a hand-over that the peer refuses rejects with its reason",
    ].map((name) => ({
      case: name,
      reason: "Go's wire has no hand-over and no looks into memory",
    })),
  ],
});
