import { invalidArgument } from "../option-checks.ts";
import type { PeerPicker } from "../peer.ts";

/** The picker of a single node, which owns every key. */
export function createLocalPicker(): PeerPicker {
  return {
    selfId: "local",
    peers: () => [],
    pick: () => undefined,
    updatePeers() {
      throw invalidArgument(
        "peers must be set to update them: pass a transport, such as createHttpPeers({ … })",
      );
    },
    attach() {},
    close: () => Promise.resolve(),
  };
}
