import { createHash } from "node:crypto";
import { ownerAt } from "./ring-points.ts";

const hashesPerNode = 80;
const pointsPerHash = 4;

/**
 * The ring of npm `hashring` with MD5 and `"vnode count": 80`: ketama, 320 points per node. Tests compare
 * its owners with those of `hashring`; ADR 0013 explains why that is not a dependency. `nodes` must be
 * distinct. The node listed first gets a point that two nodes share.
 */
export function createKetamaRing(nodes: readonly string[]): (key: string) => string {
  // As hashring computes it from weights: rounding leaves 79 hashes for 7 nodes.
  const hashes = Math.floor((1 / nodes.length) * hashesPerNode * nodes.length);
  const ring: { readonly point: number; readonly node: string }[] = [];
  for (const node of nodes) {
    for (let index = 0; index < hashes; index++) {
      const digest = md5(`${node}-${index}`);
      for (let part = 0; part < pointsPerHash; part++) {
        ring.push({ point: digest.readUInt32LE(part * 4), node });
      }
    }
  }
  ring.sort((a, b) => a.point - b.point);
  const points = Uint32Array.from(ring, ({ point }) => point);
  const owners = ring.map(({ node }) => node);
  return (key) => ownerAt({ points, owners }, md5(key).readUInt32LE(0));
}

function md5(text: string): Buffer {
  return createHash("md5").update(text).digest();
}
