import { hashKey } from "../key-hash.ts";
import { createKetamaRing } from "./ketama-ring.ts";
import type { Placement } from "./placement.ts";

/** Enough that a node's share of slots is its share of the ring, and little to recompute: about 10 ms. */
const slotCount = 4096;

/**
 * Keys hash to one of 4096 slots, slots to nodes by consistent hashing, once per membership: a node
 * that joins or leaves moves only its own share. The order of `ids` does not matter.
 */
export function createSlotPlacement(ids: readonly string[]): Placement {
  const nodes = [...new Set(ids)].sort();
  const ownerOnRing = createKetamaRing(nodes);
  const owners: string[] = [];
  for (let slot = 0; slot < slotCount; slot++) owners.push(ownerOnRing(`slot-${slot}`));
  return {
    ownerOf: (key) => owners[hashKey(key) & (slotCount - 1)] as string,
  };
}
