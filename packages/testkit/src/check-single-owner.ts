import { ParsecError } from "@parsec/core";

/** That a node served requests for a partition, from one moment to another. */
export interface ServiceRecord {
  readonly node: string;
  readonly partition: number;
  /** Which table the epochs belong to. */
  readonly incarnation: string;
  /** Epoch of the table that the node went by. */
  readonly epoch: number;
  /** Epoch of the partition: who owns a partition is told apart by it. */
  readonly partEpoch: number;
  /**
   * When the first request was served, as the node itself saw it, by a clock that all nodes share:
   * `process.hrtime.bigint()` is the same in all processes of one Linux machine.
   */
  readonly servedFrom: number;
  /** When the last request was served. A node that was killed served until the last it recorded. */
  readonly servedTo: number;
}

/** Two records that cannot both be if a partition has one owner at a time. */
export interface OwnershipViolation {
  readonly partition: number;
  readonly kind: "overlap" | "shared-epoch" | "step-back";
  readonly first: ServiceRecord;
  readonly second: ServiceRecord;
  readonly text: string;
}

/**
 * Finds out where a partition had two owners: nodes that served it at overlapping times, nodes that
 * served it under the same epoch ever, and service under an epoch after one under a later epoch.
 * Records of one node under one epoch count as one stretch, so each request may have a record of its
 * own. Throws `INVALID_ARGUMENT` for a record whose times make no sense.
 */
export function checkSingleOwner(records: Iterable<ServiceRecord>): OwnershipViolation[] {
  const found: OwnershipViolation[] = [];
  for (const [partition, stretches] of stretchesByPartition(records)) {
    const report = (
      kind: OwnershipViolation["kind"],
      [first, second]: readonly [ServiceRecord, ServiceRecord],
    ): void => {
      const text = `partition ${partition}, ${sayings[kind]}: ${say(first)}; ${say(second)}`;
      found.push({ partition, kind, first, second, text });
    };
    findSharedEpochs(stretches, report);
    findOverlaps(stretches, report);
  }
  return found;
}

const sayings = {
  overlap: "two nodes at once",
  "shared-epoch": "two nodes under one epoch",
  "step-back": "an epoch after a later one",
} as const satisfies Record<OwnershipViolation["kind"], string>;

type Report = (
  kind: OwnershipViolation["kind"],
  pair: readonly [ServiceRecord, ServiceRecord],
) => void;

function findSharedEpochs(stretches: readonly ServiceRecord[], report: Report): void {
  const holders = new Map<string, ServiceRecord>();
  for (const stretch of stretches) {
    const epoch = `${stretch.partEpoch} ${stretch.incarnation}`;
    const holder = holders.get(epoch);
    if (holder === undefined) holders.set(epoch, stretch);
    else report("shared-epoch", [holder, stretch]);
  }
}

/** Expects the stretches by their start. */
function findOverlaps(stretches: readonly ServiceRecord[], report: Report): void {
  for (const [index, first] of stretches.entries()) {
    for (const second of stretches.slice(index + 1)) {
      const touches = second.servedFrom < first.servedTo;
      if (touches && first.node !== second.node) report("overlap", [first, second]);
      if (second.incarnation === first.incarnation && second.partEpoch < first.partEpoch) {
        report("step-back", [first, second]);
      }
    }
  }
}

function stretchesByPartition(
  records: Iterable<ServiceRecord>,
): Map<number, readonly ServiceRecord[]> {
  const merged = new Map<string, ServiceRecord>();
  for (const record of records) {
    checkTimes(record);
    const name = JSON.stringify([
      record.partition,
      record.node,
      record.incarnation,
      record.partEpoch,
    ]);
    const before = merged.get(name);
    merged.set(name, before === undefined ? record : span(before, record));
  }
  const byPartition = new Map<number, ServiceRecord[]>();
  for (const stretch of merged.values()) {
    const stretches = byPartition.get(stretch.partition);
    if (stretches === undefined) byPartition.set(stretch.partition, [stretch]);
    else stretches.push(stretch);
  }
  for (const stretches of byPartition.values()) {
    stretches.sort((one, other) => one.servedFrom - other.servedFrom);
  }
  return byPartition;
}

function span(one: ServiceRecord, other: ServiceRecord): ServiceRecord {
  return {
    ...one,
    epoch: Math.max(one.epoch, other.epoch),
    servedFrom: Math.min(one.servedFrom, other.servedFrom),
    servedTo: Math.max(one.servedTo, other.servedTo),
  };
}

function say(record: ServiceRecord): string {
  const { node, incarnation, partEpoch, epoch, servedFrom, servedTo } = record;
  return `${node} from ${servedFrom} to ${servedTo} under ${incarnation}/${epoch}/${partEpoch}`;
}

function checkTimes({ servedFrom, servedTo, node }: ServiceRecord): void {
  if (Number.isFinite(servedFrom) && Number.isFinite(servedTo) && servedFrom <= servedTo) return;
  throw new ParsecError(
    "INVALID_ARGUMENT",
    `a record of ${node} runs from ${servedFrom} to ${servedTo}: both must be finite, and it cannot end before it starts`,
  );
}
