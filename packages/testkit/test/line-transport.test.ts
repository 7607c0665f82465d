import { describePeerContract } from "@parsec/testkit";
import { createLinePeers, listenForLines } from "./line-transport.ts";

const limits = { maxKeyBytes: 2000, maxValueBytes: 100_000 };

describePeerContract({
  name: "lines of JSON over TCP",
  limits,
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
