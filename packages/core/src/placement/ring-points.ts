/** Points of a hash ring in ascending order, and the node of each. */
export interface RingPoints {
  readonly points: Uint32Array;
  readonly owners: readonly string[];
}

/** The node with the first point at or after `hash`, with wrap-around. */
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
