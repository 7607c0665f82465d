import { ParsecError } from "../errors.ts";
import type { PeerPicker } from "../peer.ts";

/** The picker of a node without peers: it owns every key. */
export function createLocalPicker(): PeerPicker {
  return {
    selfId: "local",
    peers: () => [],
    pick: () => undefined,
    updatePeers() {
      throw new ParsecError(
        "INVALID_ARGUMENT",
        "this node was made without peers; give it a transport, such as createHttpPeers({ … })",
      );
    },
    attach() {},
    close: () => Promise.resolve(),
  };
}
