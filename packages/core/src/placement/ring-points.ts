/** Points of a hash ring in ascending order, and for each the node that has it. */
export interface RingPoints {
  readonly points: Uint32Array;
  readonly owners: readonly string[];
}

/** The node with the first point at or after `hash`, around the end to the start. */
export function ownerAt({ points, owners }: RingPoints, hash: number): string {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((points[middle] as number) < hash) low = middle + 1;
    else high = middle;
  }
  return owners[low === points.length ? 0 : low] as string;
}
