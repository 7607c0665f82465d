import { hashKey } from "../key-hash.ts";
import type { Placement } from "./placement.ts";
import { type SlotRing, slotCount } from "./slot-ring.ts";

/**
 * Keys hash to one of 4096 slots; consistent hashing assigns slots to nodes, once per membership. A node
 * that joins or leaves moves only its own share of the keys. The order of `ids` does not matter.
 */
export function createSlotPlacement(ids: readonly string[], ring: SlotRing): Placement {
  const owners = ring.owners([...new Set(ids)].sort());
  return {
    ownerOf: (key) => owners[hashKey(key) & (slotCount - 1)] as string,
  };
}
