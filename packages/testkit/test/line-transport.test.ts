import { describePeerContract } from "@parsec/testkit";
import { createLinePeers, listenForLines } from "./line-transport.ts";

const limits = { maxKeyBytes: 2000, maxValueBytes: 100_000 };

describePeerContract({
  name: "lines of JSON over TCP",
  limits,
  skip: [
    "what a leaving node hands over arrives whole, and the ticket comes back",
    "a first part without a ticket or entries asks for a ticket",
    "a hand-over leaves out what is beyond the limits, and brings the rest",
    "a hand-over that the peer refuses rejects with its reason",
  ].map((name) => ({ case: name, reason: "a transport need not have handOver" })),
  async setup() {
    const ports = await Promise.all([listenForLines(), listenForLines(), listenForLines()]);
    const ids = ports.map((port) => port.id);
    const pickers = ports.map(({ server, id }) =>
      createLinePeers({ server, selfId: id, ids, limits }),
    );
    return {
      nodes: pickers.map((picker) => ({ picker })),
      close: async () => {
        await Promise.all(pickers.map((picker) => picker.close()));
      },
    };
  },
});
