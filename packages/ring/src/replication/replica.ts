import { type PartitionState, type Position, startPosition } from "./partition-state.ts";

/** This node's copy of one partition: tracks its position, and runs one operation at a time. */
export class Replica {
  readonly partition: number;
  readonly #state: PartitionState;
  #position: Position;
  #holds: boolean;
  #damagedAt: Position | undefined;
  #tail: Promise<unknown> | undefined = undefined;

  constructor(partition: number, state: PartitionState) {
    this.partition = partition;
    this.#state = state;
    const kept = state.position?.(partition);
    this.#holds = kept !== undefined;
    this.#damagedAt = kept === undefined ? state.damagedAt?.(partition) : undefined;
    this.#position = kept ?? startPosition;
  }

  get position(): Position {
    return this.#position;
  }

  /** Whether there is a copy, which may be empty. */
  get holds(): boolean {
    return this.#holds;
  }

  /** The position that this node's copy had at least before its stored data was damaged; undefined when there is no damage. */
  get damagedAt(): Position | undefined {
    return this.#damagedAt;
  }

  /** Begins an empty copy, for an owner that found no data. */
  begin(): void {
    this.#holds = true;
  }

  /** Applies the next operation. The position advances even when it throws, as on every copy. */
  apply(
    op: Uint8Array,
    at: { readonly position: Position; readonly isOwner: boolean },
  ): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const run = (): ReturnType<PartitionState["apply"]> => {
      this.#position = at.position;
      return this.#state.apply(op, { partition: this.partition, ...at });
    };
    if (this.#tail !== undefined) return this.#enqueue(run);
    const answer = run();
    // The next operation must not start before this one has ended.
    return answer instanceof Promise ? this.#enqueue(() => answer) : answer;
  }

  /** Reads after the operations under way, so that acknowledged writes are visible. */
  read(query: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const run = (): Uint8Array | Promise<Uint8Array> =>
      this.#state.read?.(query, this.partition) ?? new Uint8Array();
    return this.#tail === undefined ? run() : this.#enqueue(run);
  }

  /**
   * Returns the data and its position. The first chunk is read before any other operation is applied, so that a
   * generator, which runs only when it is read, can capture the data at that moment.
   */
  snapshot(): Promise<{ readonly position: Position; readonly chunks: AsyncIterable<Uint8Array> }> {
    return this.#enqueue(async () => {
      const position = this.#position;
      const source = this.#state.snapshot(this.partition);
      const pieces =
        Symbol.asyncIterator in source
          ? source[Symbol.asyncIterator]()
          : (source as Iterable<Uint8Array>)[Symbol.iterator]();
      return { position, chunks: resumed(pieces, await pieces.next()) };
    });
  }

  /** Replaces the data. Until that has succeeded, this node holds no copy. */
  restore(chunks: AsyncIterable<Uint8Array>, position: Position): Promise<void> {
    return this.#enqueue(async () => {
      this.#holds = false;
      this.#position = startPosition;
      await this.#state.restore(chunks, { partition: this.partition, position });
      this.#position = position;
      this.#holds = true;
      this.#damagedAt = undefined;
    });
  }

  drop(): Promise<void> {
    return this.#enqueue(() => {
      if (!this.#holds) return;
      this.#holds = false;
      this.#position = startPosition;
      this.#state.drop(this.partition);
    });
  }

  #enqueue<Result>(run: () => Result | Promise<Result>): Promise<Result> {
    const result = this.#tail === undefined ? (async () => run())() : this.#tail.then(run);
    const tail = result.then(ignore, ignore).then(() => {
      if (this.#tail === tail) this.#tail = undefined;
    });
    this.#tail = tail;
    return result;
  }
}

function ignore(): void {}

async function* resumed(
  pieces: Iterator<Uint8Array> | AsyncIterator<Uint8Array>,
  first: IteratorResult<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let ended = first.done === true;
  try {
    for (let next = first; next.done !== true; next = await pieces.next()) yield next.value;
    ended = true;
  } finally {
    // A reader that stops early lets the source release its resources.
    if (!ended) await pieces.return?.();
  }
}
