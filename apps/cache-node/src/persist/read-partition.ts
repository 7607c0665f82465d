import type { Position } from "@parsec/ring";
import { endMarkName, readEndMark } from "./end-mark.ts";
import { listPartitionFiles, logPath, snapshotPath } from "./partition-files.ts";
import { comparePositions, describePosition, laterOf, startPosition } from "./positions.ts";
import { type ReadLog, readLog } from "./read-log.ts";
import { readSnapshot } from "./snapshot-file.ts";

/** Receives the data of a partition while its files are read. */
export interface PartitionSink {
  /** Forgets all data: another combination of files is tried, or they are damaged. */
  reset(): void;
  restore(chunks: AsyncIterable<Uint8Array>, position: Position): Promise<void>;
  apply(operation: Uint8Array, position: Position): void;
}

/** Why the files of a partition cannot be trusted. */
export interface Damage {
  readonly path: string;
  /** The offset in bytes from which on the file cannot be read; 0 when it is a file as a whole. */
  readonly offset: number;
  readonly reason: string;
  /** The position that the data had at least. */
  readonly atLeast: Position;
}

/** The files of a partition that belong together, and what else was found. */
export interface FoundPartition {
  /** The position of the data; undefined without data. With damage, the position up to which it can be read. */
  readonly position: Position | undefined;
  /** Operations that were read from logs. */
  readonly records: number;
  /** The generation of the snapshot in use. */
  readonly snapshot: number | undefined;
  /** The generation of the last log in use. */
  readonly log: number | undefined;
  /** An incomplete record at the end of the last log. */
  readonly torn:
    | { readonly path: string; readonly endsAt: number; readonly bytes: number }
    | undefined;
  /** Files that are not used, and why. */
  readonly unused: readonly { readonly path: string; readonly reason: string }[];
  readonly damage: Damage | undefined;
}

interface Chain extends Omit<FoundPartition, "unused" | "damage"> {
  readonly unused: readonly { readonly path: string; readonly reason: string }[];
  readonly damage: Omit<Damage, "atLeast"> | undefined;
}

const nothing = {
  position: undefined,
  records: 0,
  snapshot: undefined,
  log: undefined,
  torn: undefined,
  unused: [],
} as const;

/** Reads a partition's folder, and changes nothing in it. Never rejects: what cannot be read is damage. */
export async function readPartition(options: {
  readonly folder: string;
  readonly partition: number;
  readonly sink: PartitionSink;
}): Promise<FoundPartition> {
  const { folder, partition, sink } = options;
  let files: Awaited<ReturnType<typeof listPartitionFiles>>;
  try {
    files = await listPartitionFiles(folder);
  } catch (error) {
    const reason = reasonOf(error);
    const damage = { path: folder, offset: 0, reason, atLeast: startPosition };
    return { ...nothing, damage };
  }
  const mark = await readEndMark(folder, partition);
  const strays = files.others.map((path) => ({ path, reason: "it is not a file of a cache node" }));
  if (mark.fault !== undefined) {
    strays.push({ path: `${folder}/${endMarkName}`, reason: mark.fault });
  }
  let atLeast = mark.position ?? startPosition;
  let first: Chain | undefined;
  const faulty: { path: string; reason: string }[] = [];
  for (const snapshot of [...files.snapshots].reverse().concat(Number.NaN)) {
    sink.reset();
    const generation = Number.isNaN(snapshot) ? undefined : snapshot;
    const chain = await readChain({
      ...options,
      ...files,
      mark: mark.position,
      snapshot: generation,
    });
    const isSound =
      chain.damage === undefined && (first === undefined || mark.position !== undefined);
    if (isSound) {
      return { ...chain, unused: [...strays, ...faulty, ...chain.unused], damage: undefined };
    }
    first ??= chain;
    if (chain.damage !== undefined) faulty.push(chain.damage);
    atLeast = laterOf(atLeast, chain.position ?? startPosition);
  }
  sink.reset();
  const { damage } = first as Chain;
  const found = { ...(first as Chain), unused: strays };
  return { ...found, damage: { ...(damage as Omit<Damage, "atLeast">), atLeast } };
}

/** Reads a snapshot and the logs from its generation on; without a snapshot, all logs. */
async function readChain(options: {
  readonly folder: string;
  readonly partition: number;
  readonly sink: PartitionSink;
  readonly logs: readonly number[];
  readonly mark: Position | undefined;
  readonly snapshot: number | undefined;
}): Promise<Chain> {
  const { folder, partition, sink, mark, snapshot } = options;
  const logs = options.logs.filter((generation) => generation >= (snapshot ?? 0));
  let position = startPosition;
  let [records, log]: [number, number | undefined] = [0, undefined];
  let torn: Chain["torn"];
  const chainWith = (found: Partial<Chain>): Chain => {
    const isEmpty = snapshot === undefined && log === undefined;
    const at = isEmpty ? undefined : position;
    return { position: at, records, snapshot, log, torn, unused: [], damage: undefined, ...found };
  };
  const damaged = (path: string, offset: number, reason: string): Chain => {
    return chainWith({ damage: { path, offset, reason } });
  };
  if (snapshot !== undefined) {
    const path = snapshotPath(folder, snapshot);
    try {
      const read = await readSnapshot(path, partition);
      await sink.restore(read.chunks, read.position);
      position = read.position;
    } catch (error) {
      return damaged(path, offsetOf(error), reasonOf(error));
    }
    // A log begins before its snapshot, and is kept as long.
    if (logs.length === 0) {
      return damaged(logPath(folder, snapshot), 0, "it is missing");
    }
  }
  if (snapshot === undefined && logs.length === 0 && mark !== undefined) {
    return damaged(folder, 0, "its log is missing");
  }
  const reachesMark = (): boolean => mark === undefined || comparePositions(position, mark) >= 0;
  for (const generation of logs) {
    const path = logPath(folder, generation);
    const read: ReadLog = await readLog(path, {
      partition,
      start: position,
      apply: (operation, at) => sink.apply(operation, at),
    });
    // A log whose snapshot was not completed, and which holds nothing that was acknowledged.
    const isUnfinished = read.end === "unrelated" || read.end === "headless";
    if (isUnfinished && mark !== undefined && log !== undefined && reachesMark()) {
      const unused = logs
        .filter((each) => each >= generation)
        .map((each) => ({ path: logPath(folder, each), reason: read.reason }));
      return chainWith({ unused });
    }
    records += read.records;
    position = read.position;
    if (isUnfinished || read.end === "damaged") {
      return damaged(path, read.endsAt, read.reason);
    }
    log = generation;
    torn = read.end === "torn" ? { path, endsAt: read.endsAt, bytes: read.tornBytes } : undefined;
  }
  if (reachesMark()) return chainWith({});
  const at = log ?? snapshot;
  const path = at === undefined ? folder : logPath(folder, at);
  const reached = `position ${describePosition(mark as Position)} was on the disk`;
  const reason = `it ends at position ${describePosition(position)}, but ${reached}`;
  return damaged(path, torn?.endsAt ?? 0, reason);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function offsetOf(error: unknown): number {
  const at = (error as { readonly offset?: unknown }).offset;
  return typeof at === "number" ? at : 0;
}
