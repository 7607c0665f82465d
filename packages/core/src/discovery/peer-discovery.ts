/** The node whose peers are looked for, as the transport shows it to a discovery. */
export interface DiscoveringNode {
  /** What all nodes call this one, such as its URL. Others are to be spelled alike. */
  readonly selfId: string;
  /** Takes all nodes found, whenever they are others than before. This node counts as one of them, listed or not. */
  onPeers(ids: readonly string[]): void;
  /** Takes what an operator should know. */
  onWarning(message: string): void;
}

/** Finds the nodes of a cluster while it runs: `createDnsDiscovery`, or something of your own. Serves one node. */
export interface PeerDiscovery {
  /** Begins to look. Called once, by the transport. Throws `INVALID_ARGUMENT` when it cannot work for this node. */
  start(node: DiscoveringNode): void;
  /** Ends it; nothing is announced any more. Closing twice is fine. */
  close(): void | Promise<void>;
}
