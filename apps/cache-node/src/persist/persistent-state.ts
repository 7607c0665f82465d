import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ParsecError } from "@parsec/core";
import type { PartitionState, Position } from "@parsec/ring";
import type { Logger } from "pino";
import type { CacheState } from "../cache/cache-state.ts";
import { PartitionStore } from "./partition-store.ts";

/** When writes are forced to the disk: once per second, or before each is acknowledged. */
export type SyncPolicy = "second" | "always";

/** The state of a cache that is on disk as well, and counts of what the disk does. */
export interface PersistentState {
  /** To be given to the ring, with `durable: true`. */
  readonly state: PartitionState;
  /** The node owns these partitions now; those that were empty count as such from now on. */
  begin(partitions: readonly number[]): void;
  counts(): PersistCounts;
  /** Does what is due each second: forces the disk, and writes snapshots where a log is too long. Never rejects. */
  tick(): Promise<void>;
  /** Forces everything to the disk. Twice is fine. */
  close(): Promise<void>;
}

export interface PersistCounts {
  /** Times that the disk did not take something. */
  readonly failures: number;
  /** Snapshots that were written to make a log shorter, or to mend what was missing. */
  readonly rewrites: number;
  readonly logBytes: number;
}

export interface PersistOptions {
  /** Has a folder for each partition. */
  readonly folder: string;
  readonly partitions: number;
  readonly sync: SyncPolicy;
  readonly log: Logger;
  readonly minLogBytes?: number;
}

const tickMs = 1_000;
const defaultMinLogBytes = 4 * 1024 * 1024;

/** Reads what is in the folder into the state, and writes down all that happens to it from then on. */
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
            // It was refused the first time, too.
          }
        },
        onCut: (path, bytes) =>
          log.warn({ path, bytes }, "the end of a log was cut off: not whole"),
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
    // In memory in any case: the other copies have it, and this one must not differ.
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
      // Nothing is in memory now, so nothing may be on disk.
      store.drop();
      throw error;
    }
    // A copy in memory only is better than none; the tick tries again.
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

  /** One after the other, so that the disk has room for what cannot wait. */
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
      "the disk of the key's owner did not take the write; it may be lost when nodes stop";
    return new ParsecError("PEER_UNREACHABLE", message, { cause });
  }

  #report(partition: number, error: unknown): void {
    this.#failures++;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.log.error({ partition, reason }, "the disk does not take the data");
  }
}
