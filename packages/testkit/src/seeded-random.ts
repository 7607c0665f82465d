/**
 * A random generator with the interface of `Math.random` whose numbers depend on `seed` only. For
 * tests that can be repeated; not for secrets.
 */
export function createSeededRandom(seed: number): () => number {
  // Mulberry32: one 32-bit word of state, full period, passes the usual statistical batteries.
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
