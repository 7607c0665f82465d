import type { Change, VersionRead } from "../node/node-control.ts";

/** A read that returned a version older than one its node had acknowledged before the read started. */
export interface StaleRead extends VersionRead {
  readonly nodeId: string;
  /** The newest version that the node had acknowledged when the read started. */
  readonly acknowledged: number;
}

/**
 * Finds violations of invariant I2: after an invalidation has resolved, no node that acknowledged it serves
 * a version older than the one that was written before it. The last read of each version is enough,
 * because it is the one most likely to be stale.
 */
export function findStaleReads(
  reads: ReadonlyMap<string, readonly VersionRead[]>,
  changes: readonly Change[],
): readonly StaleRead[] {
  const inOrder = changes.toSorted((one, other) => one.resolvedAt - other.resolvedAt);
  return [...reads].flatMap(([nodeId, ofNode]) => {
    const known = acknowledgedBy(nodeId, inOrder);
    return ofNode.flatMap((read) => {
      const acknowledged = newestBefore(known.get(read.key) ?? [], read.lastStartedAt);
      return read.version < acknowledged ? [{ ...read, nodeId, acknowledged }] : [];
    });
  });
}

/** The time from which a node must serve at least a version. */
interface Step {
  readonly since: number;
  readonly version: number;
}

function acknowledgedBy(nodeId: string, inOrder: readonly Change[]): Map<string, Step[]> {
  const byKey = new Map<string, Step[]>();
  for (const { key, version, resolvedAt, acknowledged } of inOrder) {
    if (!acknowledged.includes(nodeId)) continue;
    const steps = byKey.get(key) ?? [];
    byKey.set(key, steps);
    const newest = steps.at(-1)?.version ?? 0;
    if (version > newest) steps.push({ since: resolvedAt, version });
  }
  return byKey;
}

function newestBefore(steps: readonly Step[], at: number): number {
  return steps.findLast(({ since }) => since < at)?.version ?? 0;
}
