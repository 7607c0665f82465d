import { mkdirSync, rmSync } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Position } from "@parsec/ring";
import { LogFile, replayLog } from "./log-file.ts";
import { listPartitionFiles, logPath, snapshotPath } from "./partition-files.ts";
import { readSnapshot, writeSnapshot } from "./snapshot-file.ts";
import { syncFolder } from "./sync-folder.ts";

/** The position of a partition that has never had an operation. */
const start: Position = { epoch: 0, seq: 0 };

export interface PartitionStoreOptions {
  readonly partition: number;
  readonly folder: string;
  /** Returns the partition's data at the moment when the first chunk is read. */
  readonly snapshot: () => Iterable<Uint8Array>;
  /** A log may become as long as the snapshot before it, and at least as long as this. */
  readonly minLogBytes: number;
}

/** Receives the data that was on the disk when the node started. */
export interface RecoverySink {
  readonly restore: (chunks: AsyncIterable<Uint8Array>, position: Position) => Promise<void>;
  readonly apply: (operation: Uint8Array, position: Position) => void;
  /** Called when an incomplete record was cut off at the end of a log. */
  readonly onCut: (path: string, bytes: number) => void;
}

/**
 * One partition on disk. A snapshot and the log of the operations after it form a generation. When a log has become too
 * long, a new generation begins with a log; its snapshot, of the moment at which the log begins, is written in the
 * background, and the older files are deleted only when it is complete. So the last snapshot together with the logs
 * from its generation on is complete at any moment.
 */
export class PartitionStore {
  readonly #options: PartitionStoreOptions;
  #generation = 0;
  #position: Position | undefined = undefined;
  #log: LogFile | undefined = undefined;
  /** Operations are missing on disk, and only a new snapshot can repair that. */
  #isBroken = false;
  #snapshotBytes = 0;
  #isFolderNew = false;
  /** Changes when all data is replaced or dropped, which makes a snapshot under way obsolete. */
  #history = 0;
  #writing: Promise<void> | undefined = undefined;

  constructor(options: PartitionStoreOptions) {
    this.#options = options;
  }

  /** Position of the data; undefined without data. */
  get position(): Position | undefined {
    return this.#position;
  }

  get logBytes(): number {
    return this.#log?.bytes ?? 0;
  }

  /** Whether `rewrite` is due. */
  get isDue(): boolean {
    if (this.#writing !== undefined || this.#position === undefined) return false;
    const allowedBytes = Math.max(this.#options.minLogBytes, this.#snapshotBytes);
    return this.#isBroken || this.logBytes > allowedBytes;
  }

  /** Passes the data on the disk to the sink. Rejects when a snapshot is damaged: an operator has to decide. */
  async recover(sink: RecoverySink): Promise<void> {
    const { folder, partition } = this.#options;
    const { snapshots, logs } = await listPartitionFiles(folder);
    const newest = snapshots.at(-1);
    let position = newest === undefined ? start : await this.#restore(newest, sink);
    let last: number | undefined;
    for (const generation of logs.filter((each) => each >= (newest ?? 0))) {
      const path = logPath(folder, generation);
      const { apply, onCut } = sink;
      const replayed = await replayLog(path, {
        partition,
        start: position,
        apply: (at, operation) => apply(operation, at),
      });
      if (!replayed.follows) break;
      position = replayed.position;
      last = generation;
      if (replayed.cutBytes > 0) onCut(path, replayed.cutBytes);
    }
    this.#generation = Math.max(newest ?? 0, last ?? 0);
    // Later files belong to a history that was not completed.
    await this.#deleteOthers({ from: newest ?? 0, to: this.#generation });
    if (newest === undefined && last === undefined) return;
    this.#position = position;
    if (last === undefined) this.#startLog();
    else this.#log = LogFile.reopen(logPath(folder, last));
  }

  /** Begins an empty partition, unless it has data. Never throws: a failed write is recorded. */
  begin(): void {
    if (this.#position !== undefined) return;
    this.#position = start;
    try {
      mkdirSync(this.#options.folder, { recursive: true, mode: 0o700 });
      this.#startLog();
    } catch {
      this.#isBroken = true;
    }
  }

  /** Writes the operation before it returns. Throws when that fails, so that it is in memory only. */
  append(operation: Uint8Array, position: Position): void {
    this.begin();
    const follows = position.seq === (this.#position?.seq ?? 0) + 1;
    this.#position = position;
    if (!follows) this.#isBroken = true;
    try {
      this.#log?.append(position, operation);
    } catch (error) {
      this.#isBroken = true;
      this.#log?.closeNow();
      this.#log = undefined;
      throw error;
    }
    if (this.#isBroken) throw new Error("an earlier write to the disk failed");
  }

  /** Syncs the written operations to the disk. */
  async sync(): Promise<void> {
    const { folder } = this.#options;
    const history = this.#history;
    try {
      await this.#log?.sync();
      if (!this.#isFolderNew) return;
      this.#isFolderNew = false;
      await syncFolder(folder);
      await syncFolder(dirname(folder));
    } catch (error) {
      if (history !== this.#history) return;
      // It is unknown which operations are on the disk.
      this.#isBroken = true;
      throw error;
    }
  }

  /** Stores new data up to `position` in place of the old. Rejects when that fails, so that it is in memory only. */
  async replace(position: Position): Promise<void> {
    this.#history++;
    this.#log?.closeNow();
    this.#log = undefined;
    this.#position = position;
    this.#isBroken = true;
    // The snapshot under way finds that it is obsolete.
    await this.#writing?.catch(() => {});
    mkdirSync(this.#options.folder, { recursive: true, mode: 0o700 });
    await this.rewrite();
  }

  /** Writes a new snapshot, and begins a new log. Rejects when that fails; the old files stay. */
  rewrite(): Promise<void> {
    const history = this.#history;
    this.#writing ??= this.#rewrite()
      .catch((error: unknown) => {
        // The files may have been deleted meanwhile.
        if (history === this.#history) throw error;
      })
      .finally(() => {
        this.#writing = undefined;
      });
    return this.#writing;
  }

  /** Deletes all files. */
  drop(): void {
    this.#history++;
    this.#log?.closeNow();
    this.#log = undefined;
    this.#position = undefined;
    this.#isBroken = false;
    this.#isFolderNew = false;
    this.#snapshotBytes = 0;
    rmSync(this.#options.folder, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    this.#history++;
    await this.#writing?.catch(() => {});
    await this.#log?.close();
  }

  async #rewrite(): Promise<void> {
    const { partition, folder, snapshot } = this.#options;
    const position = this.#position;
    if (position === undefined) return;
    const history = this.#history;
    const isCurrent = (): boolean => history === this.#history;
    const chunks = snapshot()[Symbol.iterator]();
    // The first chunk captures the data: from here on, all operations go to the new log.
    const first = chunks.next();
    const old = this.#log;
    this.#startLog();
    const generation = this.#generation;
    await old?.close();
    const path = snapshotPath(folder, generation);
    const all = { partition, position, chunks: resumed(first, chunks) };
    const bytes = await writeSnapshot(path, all, isCurrent);
    if (bytes === 0 || !isCurrent()) return;
    this.#snapshotBytes = bytes;
    this.#isBroken = false;
    await this.#deleteOthers({ from: generation, to: this.#generation });
  }

  async #restore(generation: number, sink: RecoverySink): Promise<Position> {
    const path = snapshotPath(this.#options.folder, generation);
    try {
      const { position, chunks } = await readSnapshot(path, this.#options.partition);
      await sink.restore(chunks, position);
      this.#snapshotBytes = (await stat(path)).size;
      return position;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const advice = "move it away, and the partition is copied from another node that has it";
      throw new Error(`${path} cannot be read: ${reason}; ${advice}`, { cause });
    }
  }

  #startLog(): void {
    const { folder, partition } = this.#options;
    const base = this.#position ?? start;
    const generation = this.#generation + 1;
    this.#log = LogFile.create(logPath(folder, generation), { partition, base });
    this.#generation = generation;
    this.#isFolderNew = true;
  }

  async #deleteOthers(kept: { readonly from: number; readonly to: number }): Promise<void> {
    const { folder } = this.#options;
    const { snapshots, logs } = await listPartitionFiles(folder);
    const isOther = (generation: number): boolean => generation < kept.from || generation > kept.to;
    for (const each of snapshots.filter(isOther)) await rm(snapshotPath(folder, each));
    for (const each of logs.filter(isOther)) await rm(logPath(folder, each));
  }
}

function* resumed<Piece>(
  first: IteratorResult<Piece, unknown>,
  rest: Iterator<Piece>,
): Generator<Piece> {
  for (let next = first; next.done !== true; next = rest.next()) yield next.value;
}
