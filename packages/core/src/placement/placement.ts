/** Maps each key to its owner among a fixed set of nodes. A change of membership needs a new placement. */
export interface Placement {
  /** The id of the key's owner. With `without`, the owner if that node did not exist; ignored when there is no other node. */
  ownerOf(key: string, without?: string): string;
}

/**
 * How keys are placed on nodes; all nodes must use the same placement (ADR 0002). `"slots"`: even shares,
 * and finding an owner is one array read. For clusters with Go nodes, the rings of their libraries:
 * `"groupcache"` of golang/groupcache, `"mailgun"` of mailgun/groupcache, `"groupcache-go"` of
 * groupcache-go v3.
 */
export type PlacementName = "slots" | "groupcache" | "mailgun" | "groupcache-go";
