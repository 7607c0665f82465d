import { createFnvPlacement, FnvPoints } from "./fnv-placement.ts";
import { createGroupcachePlacement } from "./groupcache-placement.ts";
import type { Placement, PlacementName } from "./placement.ts";
import { createSlotPlacement } from "./slot-placement.ts";
import { SlotRing } from "./slot-ring.ts";

/** The placements of one node, one after the other, which share what they compute for each member. */
export interface Placements {
  /**
   * Does part of the work for the placement of `ids`, at most that for `limit` new members. Returns whether the rest
   * takes less than 10 ms for hundreds of members.
   */
  prepare(ids: readonly string[], limit: number): boolean;
  /** The placement for the nodes in `ids`, which must not be empty. Immutable: create another when members change. */
  of(ids: readonly string[]): Placement;
}

/** Creates the placement of this name for the nodes in `ids`, which must not be empty. Immutable: create another when members change. */
export function createPlacement(name: PlacementName, ids: readonly string[]): Placement {
  return createPlacements(name).of(ids);
}

/** Creates the {@link Placements} of this name. */
export function createPlacements(name: PlacementName): Placements {
  switch (name) {
    case "groupcache":
      return { prepare: () => true, of: (ids) => withReduced(ids, createGroupcachePlacement) };
    case "mailgun":
      return createFnvPlacements(new FnvPoints((id) => id));
    case "groupcache-go":
      // Its nodes know each other by host and port.
      return createFnvPlacements(new FnvPoints((id) => id.replace(/^[a-z]+:\/\//, "")));
    case "slots":
      return createSlotPlacements(new SlotRing());
  }
}

function createSlotPlacements(ring: SlotRing): Placements {
  return {
    prepare: (ids, limit) => ring.prepare(ids, limit),
    of(ids) {
      ring.keep(ids);
      return withReduced(ids, (some) => createSlotPlacement(some, ring));
    },
  };
}

function createFnvPlacements(points: FnvPoints): Placements {
  return {
    prepare: (ids, limit) => points.prepare(ids, limit),
    of(ids) {
      points.keep(ids);
      return withReduced(ids, (some) => createFnvPlacement(some, points));
    },
  };
}

function withReduced(
  ids: readonly string[],
  placementOf: (ids: readonly string[]) => Placement,
): Placement {
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
