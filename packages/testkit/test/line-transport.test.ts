import { describePeerContract } from "@parsec/testkit";
import { createLinePeers, listenForLines } from "./line-transport.ts";

const limits = { maxKeyBytes: 2000, maxValueBytes: 100_000 };

describePeerContract({
  name: "lines of JSON over TCP",
  limits,
  skip: [
    "the entries of a hand-over arrive complete, and the ticket is returned",
    "a first part of a hand-over, without ticket and entries, requests a ticket",
    "a hand-over skips entries beyond the limits and sends the others",
    "a hand-over that the peer refuses rejects with the peer's error",
  ].map((name) => ({ case: name, reason: "handOver is optional" })),
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
