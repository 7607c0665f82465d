import { createPlacement, type Placement } from "@parsec/core/transport";

/**
 * Creates a placement function with a cache by membership: nodes of one network mostly have the same
 * members, and a placement takes some milliseconds to compute. Uses core's `"slots"`.
 */
export function createPlacementMemory(): (ids: readonly string[]) => Placement {
  const known = new Map<string, Placement>();
  return (ids) => {
    const name = JSON.stringify(ids);
    let placement = known.get(name);
    if (placement === undefined) {
      placement = createPlacement("slots", ids);
      known.set(name, placement);
    }
    return placement;
  };
}
