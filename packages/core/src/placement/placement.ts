/** Says which of a fixed set of nodes owns a key. A change of membership makes a new one. */
export interface Placement {
  /** `without` asks who would own the key if that node were not there; with no other node it owns it all the same. */
  ownerOf(key: string, without?: string): string;
}

/**
 * `"slots"`: even shares, a pick is an array read. `"groupcache"`: byte for byte the ring of
 * golang/groupcache, for rings shared with Go nodes. All nodes must use the same one (ADR 0002).
 */
export type PlacementName = "slots" | "groupcache";
