/** The fields that all recorded operations share: client, key, and times by one clock. */
export interface RecordedInterval {
  /** Name of the client, for the text of violations. */
  readonly client: string;
  readonly key: string;
  /** Time of the request, by a monotonic clock that all operations share. */
  readonly startedAt: number;
  /** Time of the answer, by the same clock; undefined without an answer, when the effect is unknown. */
  readonly endedAt: number | undefined;
  /** Whether the answer acknowledged the operation. False with an `endedAt` means refused, without an effect. */
  readonly ok: boolean;
}

/** A write of `value`. Give every write a unique value: violations of equal values are found less often. */
export interface SetOperation extends RecordedInterval {
  readonly kind: "set";
  readonly value: string;
}

/** A read with the value that it returned; undefined for an absent value. */
export interface GetOperation extends RecordedInterval {
  readonly kind: "get";
  readonly value?: string | undefined;
}

/** A removal. `found` says whether a value was removed, when the answer tells; undefined otherwise. */
export interface DeleteOperation extends RecordedInterval {
  readonly kind: "delete";
  readonly found?: boolean | undefined;
}

/** One operation on one key as its client recorded it, the input of `checkLinearizable`. */
export type RegisterOperation = SetOperation | GetOperation | DeleteOperation;

/** The operations with `found` undefined in all removals, or in those of `among`. */
export function withoutFindings(
  operations: readonly RegisterOperation[],
  among?: ReadonlySet<RegisterOperation>,
): RegisterOperation[] {
  return operations.map((one) => {
    const isDropped = one.kind === "delete" && (among === undefined || among.has(one));
    return isDropped ? { ...one, found: undefined } : one;
  });
}
