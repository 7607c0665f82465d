/** The node that a {@link PeerDiscovery} finds peers for. The transport passes it to `start`. */
export interface DiscoveringNode {
  /** This node's id, such as its URL. Ids of other nodes must have the same form. */
  readonly selfId: string;
  /** Call it with the ids of all nodes found, whenever they change. This node is always a member, listed or not. */
  onPeers(ids: readonly string[]): void;
  /** Call it with problems that an operator should know of. */
  onWarning(message: string): void;
}

/** Finds the nodes of a cluster while it runs: `createDnsDiscovery`, or your own. One discovery serves one node. */
export interface PeerDiscovery {
  /** Starts the discovery. Called once, by the transport. Throws `INVALID_ARGUMENT` when it does not work with this node's id. */
  start(node: DiscoveringNode): void;
  /** Stops the discovery: no further calls of `onPeers` or `onWarning`. Closing twice is fine. */
  close(): void | Promise<void>;
}
