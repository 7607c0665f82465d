import { createPlacement, type Placement } from "@parsec/core/transport";

/** Placements of the few memberships that simulated nodes have, worked out once each. */
export function createPlacementMemory(): (ids: readonly string[]) => Placement {
  const known = new Map<string, Placement>();
  return (ids) => {
    const name = [...ids].sort().join();
    let placement = known.get(name);
    if (placement === undefined) {
      placement = createPlacement("slots", ids);
      known.set(name, placement);
    }
    return placement;
  };
}
