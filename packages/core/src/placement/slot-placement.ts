import { hashKey } from "../key-hash.ts";
import { createKetamaRing } from "./ketama-ring.ts";
import type { Placement } from "./placement.ts";

/** Enough slots for even shares, and few enough to recompute in about 10 ms. */
const slotCount = 4096;

/**
 * Keys hash to one of 4096 slots; consistent hashing assigns slots to nodes, once per membership. A node
 * that joins or leaves moves only its own share of the keys. The order of `ids` does not matter.
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
