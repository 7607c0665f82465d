/**
 * The rendezvous score of a node for a partition: a pseudo-random number that all nodes compute alike. It breaks
 * ties, so that no node is always preferred.
 */
export function affinity(id: string, partition: number): number {
  // FNV-1a over the text, then the finaliser of murmur3, which spreads the last bits.
  let hash = 0x811c9dc5 ^ partition;
  for (let at = 0; at < id.length; at++) {
    hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16) ^ Math.imul(partition, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Values by which candidates are compared, the most important first. */
export type SortKeys = readonly (number | string)[];

/** Compares lists of sort keys, ascending by the first that differs. */
export function compareKeys(left: SortKeys, right: SortKeys): number {
  for (let at = 0; at < left.length; at++) {
    const [key, other] = [left[at] as number | string, right[at] as number | string];
    if (key < other) return -1;
    if (key > other) return 1;
  }
  return 0;
}

/** The candidate with the smallest sort keys; undefined when there is none. */
export function leastBy<Candidate>(
  candidates: Iterable<Candidate>,
  keysOf: (candidate: Candidate) => SortKeys,
): Candidate | undefined {
  let best: { readonly candidate: Candidate; readonly keys: SortKeys } | undefined;
  for (const candidate of candidates) {
    const keys = keysOf(candidate);
    if (best === undefined || compareKeys(keys, best.keys) < 0) best = { candidate, keys };
  }
  return best?.candidate;
}
