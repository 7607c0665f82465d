import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ParsecError } from "@parsec/core";
import type { PartitionState, Position } from "@parsec/ring";
import type { Logger } from "pino";
import type { CacheState } from "../cache/cache-state.ts";
import { PartitionStore } from "./partition-store.ts";

/** When writes are forced to the disk: once per second, or before each is acknowledged. */
export type SyncPolicy = "second" | "always";

/** The state of a cache that is also on disk. */
export interface PersistentState {
  /** The state for the ring, with `durable: true`. */
  readonly state: PartitionState;
  /** Records that the node owns these partitions, so that empty ones are not taken for lost. */
  begin(partitions: readonly number[]): void;
  counts(): PersistCounts;
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

class StateOnDisk implements PersistentState {
  readonly state: PartitionState;
  readonly #inner: CacheState;
  readonly #options: PersistOptions;
  readonly #stores: Map<number, PartitionStore> = new Map();
  readonly #timer: NodeJS.Timeout;
  #rewriting: Promise<void> | undefined = undefined;
  #isClosed = false;
  #failures = 0;
  #rewrites = 0;

  constructor(inner: CacheState, options: PersistOptions) {
    this.#inner = inner;
    this.#options = options;
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
    };
    this.#timer = setInterval(() => void this.tick(), tickMs);
    this.#timer.unref();
  }

  async recover(): Promise<void> {
    const { folder, partitions, log } = this.#options;
    for (const name of await readdir(folder)) {
      const partition = /^\d{1,4}$/.test(name) ? Number(name) : Number.NaN;
      if (!(partition < partitions)) continue;
      await this.#storeOf(partition).recover({
        restore: (chunks, position) => this.#inner.restore(chunks, { partition, position }),
        apply: (operation, position) => {
          try {
            void this.#inner.apply(operation, { partition, position, isOwner: false });
          } catch {
            // The application rejected it the first time, too.
          }
        },
        onCut: (path, bytes) =>
          log.warn({ path, bytes }, "an incomplete record at the end of a log was cut off"),
      });
    }
  }

  begin(partitions: readonly number[]): void {
    for (const partition of partitions) this.#storeOf(partition).begin();
  }

  counts(): PersistCounts {
    const logBytes = [...this.#stores.values()].reduce((sum, store) => sum + store.logBytes, 0);
    return { failures: this.#failures, rewrites: this.#rewrites, logBytes };
  }

  async tick(): Promise<void> {
    this.#rewriting ??= this.#rewriteDue().finally(() => {
      this.#rewriting = undefined;
    });
    if (this.#options.sync === "second") {
      const syncs = [...this.#stores].map(([partition, store]) =>
        store.sync().catch((error: unknown) => this.#report(partition, error)),
      );
      await Promise.all(syncs);
    }
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
    await store.replace(position).catch((error: unknown) => this.#report(partition, error));
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
