import { trace } from "@opentelemetry/api";
import { createMemoryNetwork, describePeerContract } from "@parsec/testkit";
import { tracePeers } from "../src/opentelemetry/index.ts";

const limits = { maxKeyBytes: 2000, maxValueBytes: 100_000 };
const ids = ["a", "b", "c"];

// A traced picker must fulfil the same contract as the picker of a transport.
describePeerContract({
  name: "traced memory network",
  limits,
  async setup() {
    const network = createMemoryNetwork(limits);
    const pickers = ids.map((selfId) =>
      tracePeers(network.createPeers({ selfId, ids }), { tracer: trace.getTracer("contract") }),
    );
    return {
      nodes: pickers.map((picker) => ({ picker })),
      async close() {
        await Promise.all(pickers.map((picker) => picker.close()));
      },
    };
  },
});
