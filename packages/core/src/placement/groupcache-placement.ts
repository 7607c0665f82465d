import { keyToBytes } from "../key-bytes.ts";
import { crc32 } from "./crc32.ts";
import type { Placement } from "./placement.ts";
import { ownerAt } from "./ring-points.ts";

/** Points per node: the default of golang/groupcache's HTTPPool. */
const pointsPerNode = 50;

/**
 * The hash ring of golang/groupcache: node n has the points crc32("0" + n) … crc32("49" + n), and a key
 * belongs to the first point at or after its own crc32, with wrap-around. As in Go, the node listed last
 * gets a point that two nodes share, so list the nodes in the same order as the Go nodes do.
 */
export function createGroupcachePlacement(ids: readonly string[]): Placement {
  const ownerByPoint = new Map<number, string>();
  for (const id of ids) {
    for (let index = 0; index < pointsPerNode; index++) {
      ownerByPoint.set(crc32(Buffer.from(`${index}${id}`, "utf8")), id);
    }
  }
  const points = Uint32Array.from(ownerByPoint.keys()).sort();
  const owners = Array.from(points, (point) => ownerByPoint.get(point) as string);
  const ring = { points, owners };
  return {
    ownerOf: (key) => ownerAt(ring, crc32(keyToBytes(key))),
  };
}
