import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ParsecError } from "@parsec/core";
import type { PartitionState, Position } from "@parsec/ring";
import type { Logger } from "pino";
import type { CacheState } from "../cache/cache-state.ts";
import { DamagedPartitions, damagedPartitionOf, isSetAside } from "./damaged-partitions.ts";
import { droppedEnding, PartitionStore } from "./partition-store.ts";
import { startPosition } from "./positions.ts";
import { type PartitionSink, readPartition } from "./read-partition.ts";

/** When writes are forced to the disk: once per second, or before each is acknowledged. */
export type SyncPolicy = "second" | "always";

/** The state of a cache that is also on disk. */
export interface PersistentState {
  /** The state for the ring, with `durable: true`. */
  readonly state: PartitionState;
  /** Records that the node owns these partitions, so that empty ones are not taken for lost. */
  begin(partitions: readonly number[]): void;
  counts(): PersistCounts;
  /** Partitions whose data was found damaged, and has not been replaced by a sound copy yet. */
  readonly damaged: readonly number[];
  /** Syncs the logs, and writes snapshots where a log is too long. Runs each second. Never rejects. */
  tick(): Promise<void>;
  /** Syncs all files. A second call does nothing. */
  close(): Promise<void>;
}

export interface PersistCounts {
  /** Failed writes to the disk. */
  readonly failures: number;
  /** Snapshots that were written to shorten a log, or to repair missing data. */
  readonly rewrites: number;
  readonly logBytes: number;
}

export interface PersistOptions {
  /** Contains a folder for each partition. */
  readonly folder: string;
  readonly partitions: number;
  readonly sync: SyncPolicy;
  readonly log: Logger;
  readonly minLogBytes?: number;
}

const tickMs = 1_000;
const defaultMinLogBytes = 4 * 1024 * 1024;

/** Reads the folder into the state, and writes all later changes to it. */
export async function openPersistentState(
  inner: CacheState,
  options: PersistOptions,
): Promise<PersistentState> {
  const persistent = new StateOnDisk(inner, options);
  await persistent.recover();
  return persistent;
}

const damageMessage =
  "the data of a partition is damaged: it is kept aside, and a sound copy of another node replaces it; without one, the partition is not served";

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _chunk of chunks);
}

class StateOnDisk implements PersistentState {
  readonly state: PartitionState;
  readonly #inner: CacheState;
  readonly #options: PersistOptions;
  readonly #stores: Map<number, PartitionStore> = new Map();
  readonly #timer: NodeJS.Timeout;
  readonly #damaged: DamagedPartitions;
  #rewriting: Promise<void> | undefined = undefined;
  #isClosed = false;
  #failures = 0;
  #rewrites = 0;

  constructor(inner: CacheState, options: PersistOptions) {
    this.#inner = inner;
    this.#options = options;
    this.#damaged = new DamagedPartitions(options.folder);
    this.state = {
      apply: (operation, context) => this.#apply(operation, context),
      read: (query, partition) => inner.read(query, partition),
      snapshot: (partition) => inner.snapshot(partition),
      restore: (chunks, context) => this.#restore(chunks, context),
      drop: (partition) => {
        inner.drop(partition);
        this.#storeOf(partition).drop();
      },
      position: (partition) => this.#storeOf(partition).position,
      damagedAt: (partition) => this.#damaged.atLeast(partition),
    };
    this.#timer = setInterval(() => void this.tick(), tickMs);
    this.#timer.unref();
  }

  async recover(): Promise<void> {
    const { folder, partitions, log } = this.#options;
    const names = await readdir(folder);
    const isLive = (name: string): boolean =>
      /^(0|[1-9]\d{0,3})$/.test(name) && Number(name) < partitions;
    for (const name of names) {
      if (name.endsWith(droppedEnding)) {
        await rm(join(folder, name), { recursive: true, force: true });
      } else if (isLive(name)) await this.#recoverPartition(Number(name));
      else if (!isSetAside(name)) {
        log.warn({ path: join(folder, name) }, "not a file of this node: it is left as it is");
      }
    }
    for (const name of names) {
      const partition = damagedPartitionOf(name);
      if (partition !== undefined) await this.#reconsider(partition, join(folder, name));
    }
  }

  async #recoverPartition(partition: number): Promise<void> {
    const { log } = this.#options;
    const { damage, torn, unused } = await this.#storeOf(partition).recover(
      this.#sinkOf(partition),
    );
    if (damage !== undefined) {
      const movedTo = this.#damaged.setAside(partition, damage.atLeast);
      // A new store: the old one has seen the files that were moved.
      this.#stores.delete(partition);
      const { path, offset, reason } = damage;
      log.error({ partition, path, offset, reason, movedTo }, damageMessage);
      return;
    }
    if (torn !== undefined) {
      const { path, bytes } = torn;
      log.warn({ path, bytes }, "an incomplete record at the end of a log was cut off");
    }
    for (const { path, reason } of unused) {
      log.warn(
        { partition, path, reason },
        "a file is not part of the data: it is kept, but not used",
      );
    }
  }

  /** Reads a folder again that was set aside: an operator may have mended it. */
  async #reconsider(partition: number, path: string): Promise<void> {
    const { folder, log } = this.#options;
    if (this.#storeOf(partition).position !== undefined) {
      this.#damaged.supersede(partition);
      return;
    }
    const sink = { reset() {}, apply() {}, restore: drain };
    const { damage, position } = await readPartition({ folder: path, partition, sink });
    if (damage === undefined && position !== undefined) {
      await rm(join(folder, String(partition)), { recursive: true, force: true });
      await rename(path, join(folder, String(partition)));
      log.warn({ partition, path }, "a partition that was set aside can be read again");
      await this.#recoverPartition(partition);
      return;
    }
    this.#damaged.add(partition, damage?.atLeast ?? startPosition);
    const { path: file = path, offset, reason } = damage ?? {};
    log.error({ partition, path: file, offset, reason }, damageMessage);
  }

  #sinkOf(partition: number): PartitionSink {
    return {
      reset: () => this.#inner.drop(partition),
      restore: (chunks, position) => this.#inner.restore(chunks, { partition, position }),
      apply: (operation, position) => {
        try {
          void this.#inner.apply(operation, { partition, position, isOwner: false });
        } catch {
          // The application rejected it the first time, too.
        }
      },
    };
  }

  begin(partitions: readonly number[]): void {
    for (const partition of partitions) {
      // The ring has declared its data lost.
      if (this.#damaged.atLeast(partition) !== undefined) this.#damaged.supersede(partition);
      this.#storeOf(partition).begin();
    }
  }

  get damaged(): readonly number[] {
    return this.#damaged.partitions;
  }

  counts(): PersistCounts {
    const logBytes = [...this.#stores.values()].reduce((sum, store) => sum + store.logBytes, 0);
    return { failures: this.#failures, rewrites: this.#rewrites, logBytes };
  }

  async tick(): Promise<void> {
    this.#rewriting ??= this.#rewriteDue().finally(() => {
      this.#rewriting = undefined;
    });
    const marks = [...this.#stores].map(([partition, store]) =>
      store.mark().catch((error: unknown) => this.#report(partition, error)),
    );
    await Promise.all(marks);
    await this.#rewriting;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await Promise.all([...this.#stores.values()].map((store) => store.close()));
    await this.#rewriting;
  }

  #apply(
    operation: Uint8Array,
    context: Parameters<PartitionState["apply"]>[1],
  ): ReturnType<PartitionState["apply"]> {
    const store = this.#storeOf(context.partition);
    let failure: unknown;
    try {
      store.append(operation, context.position);
    } catch (error) {
      failure = error;
    }
    // Applied in memory even if the write fails: the other copies have it, and this one must not differ.
    const answer = this.#inner.apply(operation, context);
    if (failure !== undefined) throw this.#notKept(context.partition, failure);
    if (this.#options.sync === "second") return answer;
    return store.sync().then(
      () => answer,
      (error: unknown) => {
        throw this.#notKept(context.partition, error);
      },
    );
  }

  async #restore(
    chunks: AsyncIterable<Uint8Array>,
    context: { readonly partition: number; readonly position: Position },
  ): Promise<void> {
    const { partition, position } = context;
    const store = this.#storeOf(partition);
    try {
      await this.#inner.restore(chunks, context);
    } catch (error) {
      // The memory is empty now, so the disk must be empty, too.
      store.drop();
      throw error;
    }
    // A copy in memory only is better than none; `tick` retries the write.
    try {
      await store.replace(position);
      if (this.#damaged.atLeast(partition) !== undefined) this.#damaged.supersede(partition);
    } catch (error) {
      this.#report(partition, error);
    }
  }

  #storeOf(partition: number): PartitionStore {
    let store = this.#stores.get(partition);
    if (store === undefined) {
      const { folder, minLogBytes = defaultMinLogBytes } = this.#options;
      store = new PartitionStore({
        partition,
        folder: join(folder, String(partition)),
        snapshot: () => this.#inner.snapshot(partition) as Iterable<Uint8Array>,
        minLogBytes,
      });
      this.#stores.set(partition, store);
    }
    return store;
  }

  /** In sequence, so that the disk has capacity for urgent writes. */
  async #rewriteDue(): Promise<void> {
    for (const [partition, store] of this.#stores) {
      if (this.#isClosed) return;
      if (!store.isDue) continue;
      try {
        await store.rewrite();
        this.#rewrites++;
      } catch (error) {
        this.#report(partition, error);
      }
    }
  }

  #notKept(partition: number, cause: unknown): ParsecError {
    this.#report(partition, cause);
    const message =
      "the key's owner could not write to its disk; the write may be lost when nodes stop";
    return new ParsecError("PEER_UNREACHABLE", message, { cause });
  }

  #report(partition: number, error: unknown): void {
    this.#failures++;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.log.error({ partition, reason }, "a write to the disk failed");
  }
}
