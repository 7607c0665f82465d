import type { Change, VersionRead } from "../node/node-control.ts";

/** A value that was older than what the node had acknowledged before it was asked. */
export interface StaleRead extends VersionRead {
  readonly nodeId: string;
  /** The newest version that the node had acknowledged when the question began. */
  readonly acknowledged: number;
}

/**
 * Holds what nodes have answered against invariant I2: after an invalidation has resolved, no node
 * that acknowledged it serves a version older than the one that was written before it. Complete,
 * because of all questions that one version answered, the last is the one that most speaks against it.
 */
export function findStaleReads(
  reads: ReadonlyMap<string, readonly VersionRead[]>,
  changes: readonly Change[],
): readonly StaleRead[] {
  const inOrder = changes.toSorted((one, other) => one.resolvedAt - other.resolvedAt);
  return [...reads].flatMap(([nodeId, ofNode]) => {
    const known = acknowledgedBy(nodeId, inOrder);
    return ofNode.flatMap((read) => {
      const acknowledged = newestBefore(known.get(read.key) ?? [], read.lastBeganAt);
      return read.version < acknowledged ? [{ ...read, nodeId, acknowledged }] : [];
    });
  });
}

/** From when on a node must serve at least a version. */
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
