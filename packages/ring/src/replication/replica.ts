import { type PartitionState, type Position, startPosition } from "./partition-state.ts";

/** This node's copy of one partition: where it stands, and one thing at a time done to it. */
export class Replica {
  readonly partition: number;
  readonly #state: PartitionState;
  #position: Position;
  #holds: boolean;
  #tail: Promise<unknown> | undefined = undefined;

  constructor(partition: number, state: PartitionState) {
    this.partition = partition;
    this.#state = state;
    const kept = state.position?.(partition);
    this.#holds = kept !== undefined;
    this.#position = kept ?? startPosition;
  }

  get position(): Position {
    return this.#position;
  }

  /** Whether there is a copy at all, be it an empty one. */
  get holds(): boolean {
    return this.#holds;
  }

  /** An owner that found nothing begins with nothing. */
  begin(): void {
    this.#holds = true;
  }

  /** Carries out the next operation. Whatever it throws, the position moves on: it does so on every copy. */
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
    // The next one must not start before this one has ended.
    return answer instanceof Promise ? this.#enqueue(() => answer) : answer;
  }

  /** Waits for operations under way, so that what was acknowledged shows. */
  read(query: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const run = (): Uint8Array | Promise<Uint8Array> =>
      this.#state.read?.(query, this.partition) ?? new Uint8Array();
    return this.#tail === undefined ? run() : this.#enqueue(run);
  }

  /**
   * The data and how far it goes. The first piece is taken before any other operation is carried out, so
   * that a generator, which does nothing until it is asked, can put the data aside at that moment.
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

  /** Until it has ended well, this node holds nothing. */
  restore(chunks: AsyncIterable<Uint8Array>, position: Position): Promise<void> {
    return this.#enqueue(async () => {
      this.#holds = false;
      this.#position = startPosition;
      await this.#state.restore(chunks, { partition: this.partition, position });
      this.#position = position;
      this.#holds = true;
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
    // Whoever reads no further lets the source tidy up.
    if (!ended) await pieces.return?.();
  }
}
