import { ParsecError } from "@parsec/core";

/** A period during which a node served requests for a partition, as recorded by that node. */
export interface ServiceRecord {
  readonly node: string;
  readonly partition: number;
  /** The table that the epochs belong to: a table that is created again has a new incarnation. */
  readonly incarnation: string;
  /** Epoch of the table that the node used. */
  readonly epoch: number;
  /** Epoch of the partition, which changes with its owner. */
  readonly partEpoch: number;
  /**
   * Time of the first request, by a clock that all nodes share, such as `process.hrtime.bigint()` in the
   * processes of one Linux machine.
   */
  readonly servedFrom: number;
  /** Time of the last request, by the same clock. For a killed node: of the last one that it recorded. */
  readonly servedTo: number;
}

/** Two records of one partition that contradict each other if it has one owner at a time. */
export interface OwnershipViolation {
  readonly partition: number;
  /** `overlap`: two nodes at once. `shared-epoch`: two nodes under one epoch. `step-back`: an epoch after a later one. */
  readonly kind: "overlap" | "shared-epoch" | "step-back";
  readonly first: ServiceRecord;
  readonly second: ServiceRecord;
  /** Both records in one line, for a test's output. */
  readonly text: string;
}

/**
 * Finds partitions that had two owners: nodes that served one at overlapping times, two nodes that
 * served it under the same epoch, and service under an epoch after a later epoch. Records of one node
 * under one epoch are merged into one period, so each request may have a record of its own. Throws
 * `INVALID_ARGUMENT` for a record whose times are not finite or not in order.
 */
export function checkSingleOwner(records: Iterable<ServiceRecord>): OwnershipViolation[] {
  const found: OwnershipViolation[] = [];
  for (const [partition, periods] of periodsByPartition(records)) {
    const report = (
      kind: OwnershipViolation["kind"],
      [first, second]: readonly [ServiceRecord, ServiceRecord],
    ): void => {
      const text = `partition ${partition}, ${descriptions[kind]}: ${formatRecord(first)}; ${formatRecord(second)}`;
      found.push({ partition, kind, first, second, text });
    };
    findSharedEpochs(periods, report);
    findOverlaps(periods, report);
  }
  return found;
}

const descriptions = {
  overlap: "two nodes at once",
  "shared-epoch": "two nodes under one epoch",
  "step-back": "an epoch after a later one",
} as const satisfies Record<OwnershipViolation["kind"], string>;

type Report = (
  kind: OwnershipViolation["kind"],
  pair: readonly [ServiceRecord, ServiceRecord],
) => void;

function findSharedEpochs(periods: readonly ServiceRecord[], report: Report): void {
  const holders = new Map<string, ServiceRecord>();
  for (const period of periods) {
    const epoch = `${period.partEpoch} ${period.incarnation}`;
    const holder = holders.get(epoch);
    if (holder === undefined) holders.set(epoch, period);
    else report("shared-epoch", [holder, period]);
  }
}

/** Expects the periods sorted by their start. */
function findOverlaps(periods: readonly ServiceRecord[], report: Report): void {
  for (const [index, first] of periods.entries()) {
    for (const second of periods.slice(index + 1)) {
      const touches = second.servedFrom < first.servedTo;
      if (touches && first.node !== second.node) report("overlap", [first, second]);
      if (second.incarnation === first.incarnation && second.partEpoch < first.partEpoch) {
        report("step-back", [first, second]);
      }
    }
  }
}

function periodsByPartition(
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
  for (const period of merged.values()) {
    const periods = byPartition.get(period.partition);
    if (periods === undefined) byPartition.set(period.partition, [period]);
    else periods.push(period);
  }
  for (const periods of byPartition.values()) {
    periods.sort((one, other) => one.servedFrom - other.servedFrom);
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

function formatRecord(record: ServiceRecord): string {
  const { node, incarnation, partEpoch, epoch, servedFrom, servedTo } = record;
  return `${node} from ${servedFrom} to ${servedTo} under ${incarnation}/${epoch}/${partEpoch}`;
}

function checkTimes({ servedFrom, servedTo, node }: ServiceRecord): void {
  if (Number.isFinite(servedFrom) && Number.isFinite(servedTo) && servedFrom <= servedTo) return;
  throw new ParsecError(
    "INVALID_ARGUMENT",
    `servedFrom and servedTo must be finite and in order, got ${servedFrom} and ${servedTo} in a record of ${node}`,
  );
}
