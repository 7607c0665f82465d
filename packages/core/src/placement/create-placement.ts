import { createGroupcachePlacement } from "./groupcache-placement.ts";
import type { Placement, PlacementName } from "./placement.ts";
import { createSlotPlacement } from "./slot-placement.ts";

/** Creates the placement of this name for the nodes in `ids`, which must not be empty. Immutable: create another when members change. */
export function createPlacement(name: PlacementName, ids: readonly string[]): Placement {
  const placementOf = name === "groupcache" ? createGroupcachePlacement : createSlotPlacement;
  const whole = placementOf(ids);
  /** Placements without one of the nodes, created on first use. */
  const reduced = new Map<string, Placement>();
  return {
    ownerOf(key, without) {
      if (without === undefined) return whole.ownerOf(key);
      let placement = reduced.get(without);
      if (placement === undefined) {
        const others = ids.filter((id) => id !== without);
        const isMember = others.length < ids.length;
        placement = isMember && others.length > 0 ? placementOf(others) : whole;
        reduced.set(without, placement);
      }
      return placement.ownerOf(key);
    },
  };
}
