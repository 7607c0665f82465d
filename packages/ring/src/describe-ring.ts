import type { RingState } from "./ring.ts";
import type { RingEvent } from "./ring-events.ts";
import type { RingSettings } from "./ring-options.ts";
import type { RingNode } from "./runtime/ring-node.ts";
import { incompleteParts } from "./table/incomplete-parts.ts";

/** Collects the state of a ring from its parts. */
export function describeRing(
  node: RingNode,
  options: {
    readonly settings: RingSettings;
    readonly status: RingState["status"];
    readonly pendingRequests: number;
    readonly lastHookFailure: Extract<RingEvent, { type: "hook-failed" }> | undefined;
  },
): RingState {
  const { settings, status, pendingRequests, lastHookFailure } = options;
  const { lease, terms } = node;
  const table = node.table.table;
  const parts = table?.parts ?? [];
  const numbersOf = (wanted: (partition: number) => boolean): number[] =>
    [...parts.keys()].filter(wanted);
  const members = (table?.members ?? []).map(({ id, zone, weight, present }) => {
    const owned = parts.filter(({ owner }) => owner === id).length;
    const backups = parts.filter((part) => part.backups.includes(id)).length;
    return { id, zone, weight, present, owned, backups };
  });
  const mine = [...terms.terms].sort((left, right) => left.partition - right.partition);
  const leaseValid = lease.isValid;
  return {
    platform: settings.platform,
    node: settings.node,
    session: lease.session,
    status,
    leaseValid,
    leaseRemainingMs: Math.round(lease.remainingMs),
    incarnation: table?.incarnation,
    epoch: table?.epoch ?? 0,
    partitions: settings.partitions,
    replicas: table?.replicas ?? settings.replicas,
    members,
    owned: leaseValid
      ? mine.filter(({ phase }) => phase === "serving").map(({ partition }) => partition)
      : [],
    backupOf: numbersOf((partition) => parts[partition]?.backups.includes(settings.node) === true),
    moving: parts.flatMap(({ owner, next }, partition) =>
      owner === undefined || next === undefined ? [] : [{ partition, from: owner, to: next }],
    ),
    notServing: mine
      .filter(({ phase }) => phase !== "serving")
      .map(({ partition, phase, stuckReason: stuck }) => ({ partition, phase, stuck })),
    underReplicated:
      settings.state === undefined || table === undefined
        ? 0
        : parts.filter(({ backups }) => backups.length < table.replicas - 1).length,
    incomplete: table === undefined ? 0 : incompleteParts(table, settings.state !== undefined),
    hooksRunning: terms.hooks.running,
    lastHookFailure,
    lastError: node.lastError?.message,
    pendingRequests,
  };
}
