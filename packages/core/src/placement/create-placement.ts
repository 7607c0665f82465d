import { createGroupcachePlacement } from "./groupcache-placement.ts";
import type { Placement, PlacementName } from "./placement.ts";
import { createSlotPlacement } from "./slot-placement.ts";

/** Places keys over the nodes named by `ids`, which must not be empty. */
export function createPlacement(name: PlacementName, ids: readonly string[]): Placement {
  const placementOf = name === "groupcache" ? createGroupcachePlacement : createSlotPlacement;
  const whole = placementOf(ids);
  /** Placements with one node left out, made when first asked for. */
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
