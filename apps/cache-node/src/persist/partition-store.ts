import { mkdirSync, renameSync, rmSync } from "node:fs";
import { rename, rm, stat, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import type { Position } from "@parsec/ring";
import { writeEndMark } from "./end-mark.ts";
import { LogFile } from "./log-file.ts";
import {
  deleteTemporaryFiles,
  listPartitionFiles,
  logPath,
  snapshotPath,
} from "./partition-files.ts";
import { startPosition } from "./positions.ts";
import { type FoundPartition, type PartitionSink, readPartition } from "./read-partition.ts";
import { writeSnapshot } from "./snapshot-file.ts";
import { syncFolder } from "./sync-folder.ts";

export interface PartitionStoreOptions {
  readonly partition: number;
  readonly folder: string;
  /** Returns the partition's data at the moment when the first chunk is read. */
  readonly snapshot: () => Iterable<Uint8Array>;
  /** A log may become as long as the snapshot before it, and at least as long as this. */
  readonly minLogBytes: number;
}

/** The ending of a partition's folder that is being deleted. */
export const droppedEnding = ".dropped";

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
  /** The position that the mark of the end says. */
  #marked: Position | undefined = undefined;
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

  /**
   * Passes the data on the disk to the sink, which is empty after damage. Then this store must not be used before the
   * folder has been moved. Cuts off an incomplete record at the end, and renames files that do not belong to the data.
   */
  async recover(sink: PartitionSink): Promise<FoundPartition> {
    const { folder, partition } = this.#options;
    const found = await readPartition({ folder, partition, sink });
    if (found.damage !== undefined) return found;
    const { snapshot, log, torn, unused, position } = found;
    await deleteTemporaryFiles(folder);
    if (torn !== undefined) await truncate(torn.path, torn.endsAt);
    const { snapshots, logs } = await listPartitionFiles(folder);
    this.#generation = Math.max(0, ...snapshots, ...logs);
    for (const { path } of unused) await setAside(path);
    // Older files, which a newer snapshot has replaced.
    await this.#deleteOthers({ from: snapshot ?? 0, to: this.#generation });
    if (position === undefined) return found;
    this.#position = position;
    if (snapshot !== undefined)
      this.#snapshotBytes = (await stat(snapshotPath(folder, snapshot))).size;
    if (log === undefined) this.#startLog();
    else this.#log = LogFile.reopen(logPath(folder, log));
    return found;
  }

  /** Begins an empty partition, unless it has data. Never throws: a failed write is recorded. */
  begin(): void {
    if (this.#position !== undefined) return;
    this.#position = startPosition;
    try {
      mkdirSync(this.#options.folder, { recursive: true, mode: 0o700 });
      this.#startLog();
      // At once: from now on, a folder without a log has lost it.
      this.#writeMark(startPosition);
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

  /** Syncs, then records how far the files reach. Rejects when that fails. */
  async mark(): Promise<void> {
    const [position, history] = [this.#position, this.#history];
    await this.sync();
    if (position === undefined || position === this.#marked) return;
    if (this.#isBroken || history !== this.#history) return;
    this.#writeMark(position);
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
    // Until the new data is on the disk, no position is certain.
    this.#writeMark(startPosition);
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
    this.#marked = undefined;
    const { folder } = this.#options;
    // Renamed first: a folder of which some files are missing would be taken for damaged.
    const dropped = `${folder}${droppedEnding}`;
    rmSync(dropped, { recursive: true, force: true });
    try {
      renameSync(folder, dropped);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    rmSync(dropped, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await this.mark().catch(() => {});
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

  #writeMark(position: Position): void {
    const { folder, partition } = this.#options;
    writeEndMark(folder, partition, position);
    this.#marked = position;
  }

  #startLog(): void {
    const { folder, partition } = this.#options;
    const base = this.#position ?? startPosition;
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

/** Renames a file of this program, so that it is neither used nor deleted; other files stay as they are. */
async function setAside(path: string): Promise<void> {
  if (/\d\.(snapshot|log)$/.test(path)) await rename(path, `${path}.unused-${Date.now()}`);
}

function* resumed<Piece>(
  first: IteratorResult<Piece, unknown>,
  rest: Iterator<Piece>,
): Generator<Piece> {
  for (let next = first; next.done !== true; next = rest.next()) yield next.value;
}
