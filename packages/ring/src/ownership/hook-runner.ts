import type { Clock } from "@parsec/core";

/** Called with partitions that this node has come to own, before it serves them. `lost`: the data of their previous owner is lost. */
export type OwnHook = (
  partitions: readonly number[],
  info: { readonly lost: boolean },
) => void | Promise<void>;

/** Called with partitions that this node has stopped serving. */
export type ReleaseHook = (partitions: readonly number[]) => void | Promise<void>;

export interface HookFailure {
  readonly hook: "onOwn" | "onRelease";
  readonly partitions: readonly number[];
  readonly message: string;
}

interface Batch {
  readonly kind: "own" | "release";
  readonly lost: boolean;
  readonly partitions: number[];
  readonly done: Promise<void>;
}

/**
 * Runs the application's hooks: in sequence for each partition, together for partitions of the same turn of the
 * event loop, each within the time limit. A hook that fails is reported and changes nothing: it cannot veto an
 * ownership.
 */
export class HookRunner {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #onFailure: (failure: HookFailure) => void;
  readonly #tails: Map<number, Promise<void>> = new Map();
  readonly #own: Set<OwnHook> = new Set();
  readonly #release: Set<ReleaseHook> = new Set();
  readonly #running: Set<number> = new Set();
  #batches: Batch[] = [];

  constructor(options: {
    readonly clock: Clock;
    readonly timeoutMs: number;
    readonly onFailure: (failure: HookFailure) => void;
  }) {
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs;
    this.#onFailure = options.onFailure;
  }

  /** Partitions whose hooks are running. */
  get running(): readonly number[] {
    return [...this.#running].sort((left, right) => left - right);
  }

  /** Resolves when no hook is running or due. */
  async whenIdle(): Promise<void> {
    while (this.#batches.length > 0 || this.#tails.size > 0) {
      await Promise.all([...this.#batches.map(({ done }) => done), ...this.#tails.values()]);
    }
  }

  addOwn(hook: OwnHook): () => void {
    this.#own.add(hook);
    return () => void this.#own.delete(hook);
  }

  addRelease(hook: ReleaseHook): () => void {
    this.#release.add(hook);
    return () => void this.#release.delete(hook);
  }

  /** Resolves when the hooks have ended, even if they failed. */
  own(partition: number, lost: boolean): Promise<void> {
    return this.#join("own", { partition, lost });
  }

  release(partition: number): Promise<void> {
    return this.#join("release", { partition, lost: false });
  }

  #join(
    kind: Batch["kind"],
    { partition, lost }: { readonly partition: number; readonly lost: boolean },
  ): Promise<void> {
    let batch = this.#batches.find(
      (open) => open.kind === kind && open.lost === lost && !open.partitions.includes(partition),
    );
    if (batch === undefined) {
      const partitions: number[] = [];
      const done = new Promise<void>((resolve) => {
        setImmediate(() => {
          this.#batches = this.#batches.filter((open) => open.partitions !== partitions);
          void this.#run({ kind, lost, partitions }).then(resolve);
        });
      });
      batch = { kind, lost, partitions, done };
      this.#batches.push(batch);
    }
    batch.partitions.push(partition);
    return batch.done;
  }

  async #run(batch: Omit<Batch, "done">): Promise<void> {
    const partitions = batch.partitions.sort((left, right) => left - right);
    const before = partitions.map((partition) => this.#tails.get(partition));
    const done = (async () => {
      await Promise.all(before);
      for (const partition of partitions) this.#running.add(partition);
      const hooks =
        batch.kind === "own"
          ? [...this.#own].map((hook) => () => hook(partitions, { lost: batch.lost }))
          : [...this.#release].map((hook) => () => hook(partitions));
      for (const hook of hooks) await this.#within(batch, hook);
      for (const partition of partitions) this.#running.delete(partition);
    })();
    for (const partition of partitions) this.#tails.set(partition, done);
    await done;
    for (const partition of partitions) {
      if (this.#tails.get(partition) === done) this.#tails.delete(partition);
    }
  }

  async #within(batch: Omit<Batch, "done">, hook: () => void | Promise<void>): Promise<void> {
    let cancel = (): void => {};
    const late = new Promise<never>((_resolve, reject) => {
      cancel = this.#clock.schedule(this.#timeoutMs, () => {
        reject(new Error(`the hook did not end within ${this.#timeoutMs} ms`));
      });
    });
    try {
      await Promise.race([(async () => hook())(), late]);
    } catch (error) {
      this.#onFailure({
        hook: batch.kind === "own" ? "onOwn" : "onRelease",
        partitions: batch.partitions,
        message: error instanceof Error ? error.message : String(error),
      });
    } finally {
      cancel();
    }
  }
}
