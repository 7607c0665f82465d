import type { PeerHandOver, PeerHost, PeerInvalidation } from "../../peer.ts";

/** A {@link PeerHost} that may have to wait for other processes of this node, as returned by `Workers.attach`. */
export interface ServedHost extends Pick<PeerHost, "lookup" | "contact"> {
  /** Applies an invalidation on every process of this node. */
  invalidate(invalidation: PeerInvalidation): void | Promise<void>;
  /** See {@link PeerHost.takeOver}. */
  takeOver?(part: PeerHandOver): number | Promise<number>;
}
