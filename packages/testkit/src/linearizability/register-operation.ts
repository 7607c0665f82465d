/** Who did what to which key, and between which two moments of one clock. */
export interface RecordedInterval {
  /** Who asked; it only shows up in texts. */
  readonly client: string;
  readonly key: string;
  /** When the request went out, by a clock that never steps back and is the same for all operations. */
  readonly startedAt: number;
  /** When the answer was there; undefined when none came, so that nobody knows what became of it. */
  readonly endedAt: number | undefined;
  /** Whether the answer acknowledged it. False with an `endedAt` means refused: it had no effect, for certain. */
  readonly ok: boolean;
}

/** A write of `value`. Histories say most when every write has a value of its own. */
export interface SetOperation extends RecordedInterval {
  readonly kind: "set";
  readonly value: string;
}

/** A read, with the value that came back; undefined when there was none. */
export interface GetOperation extends RecordedInterval {
  readonly kind: "get";
  readonly value?: string | undefined;
}

/** A removal. `found` is what the answer said about a value having been there, if it said so. */
export interface DeleteOperation extends RecordedInterval {
  readonly kind: "delete";
  readonly found?: boolean | undefined;
}

/** One operation on one key, as its client saw it. */
export type RegisterOperation = SetOperation | GetOperation | DeleteOperation;

/** The same operations, with some of the removals, or all, silent about what they found. */
export function withoutFindings(
  operations: readonly RegisterOperation[],
  among?: ReadonlySet<RegisterOperation>,
): RegisterOperation[] {
  return operations.map((one) => {
    const isSilenced = one.kind === "delete" && (among === undefined || among.has(one));
    return isSilenced ? { ...one, found: undefined } : one;
  });
}
