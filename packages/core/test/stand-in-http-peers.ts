import type { PeerPicker } from "../src/peer.ts";
import { DirectNetwork } from "./direct-peers.ts";

/** In the place of `@parsec/transport-http`, which stands on this package: peers that nobody calls. */
export function createHttpPeers(options: {
  readonly selfUrl: string;
  readonly peerUrls: readonly string[];
}): PeerPicker & { handler(): void } {
  const picker = new DirectNetwork(options.peerUrls).picker(options.selfUrl);
  return { ...picker, handler() {} };
}
