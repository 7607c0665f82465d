import { describePeerContract } from "../src/contracts/peer-contract.ts";
import { createMemoryNetwork } from "../src/memory-transport/memory-transport.ts";
import { createPlacementMemory } from "../src/memory-transport/placement-memory.ts";

const limits = { maxKeyBytes: 2000, maxValueBytes: 100_000 };
// All cases have the same members, so that their placement is computed once.
const place = createPlacementMemory();
const ids = ["http://127.0.0.1:8081", "http://127.0.0.1:8082", "http://127.0.0.1:8083"];

describePeerContract({
  name: "memory transport",
  limits,
  async setup() {
    const network = createMemoryNetwork({ ...limits, place });
    const pickers = ids.map((selfId) => network.createPeers({ selfId, ids }));
    return {
      nodes: pickers.map((picker) => ({ picker })),
      async close() {
        await Promise.all(pickers.map((picker) => picker.close()));
      },
    };
  },
});

describePeerContract({
  name: "memory transport whose messages overtake one another",
  limits,
  async setup() {
    let count = 0;
    const fate = () => ({ delayMs: (count++ * 7) % 5 });
    const network = createMemoryNetwork({ ...limits, place, fate });
    const pickers = ids.map((selfId) => network.createPeers({ selfId, ids }));
    return {
      nodes: pickers.map((picker) => ({ picker })),
      async close() {
        await Promise.all(pickers.map((picker) => picker.close()));
      },
    };
  },
});
