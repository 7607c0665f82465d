import { createGroupcachePlacement } from "./groupcache-placement.ts";
import type { Placement, PlacementName } from "./placement.ts";
import { createSlotPlacement } from "./slot-placement.ts";

/** Places keys over the nodes named by `ids`, which must not be empty. */
export function createPlacement(name: PlacementName, ids: readonly string[]): Placement {
  return name === "groupcache" ? createGroupcachePlacement(ids) : createSlotPlacement(ids);
}
