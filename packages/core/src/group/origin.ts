import { messageOf, ParsecError } from "../errors.ts";
import type { Decoder } from "../memory/group-memory.ts";

/** The context of a load. The signal is created on first use, because most loads never read it. */
export interface LoadContext {
  readonly input: Uint8Array | undefined;
  readonly signal: AbortSignal;
}

/** The origin behind a group: loads, encodes and tags its values. */
export interface Origin<Input, T> extends Decoder<T> {
  /** Whether loads of `""`, which is never cached, go to an owner (groups) or run locally (data sources). */
  readonly emptyKeyHasOwner: boolean;
  /** Encodes the input that a lookup carries to the owner; undefined for plain groups. */
  encodeInput(input: Input): Uint8Array | undefined;
  /** Fetches the value of a key. Rejects with a `ParsecError`; errors of the user's code become `ORIGIN_FAILED`. */
  load(key: string, context: LoadContext): Promise<Uint8Array | undefined>;
  /** Tags by which the entry can be invalidated. Throws `ORIGIN_FAILED`. */
  tags(entry: TaggedEntry): readonly string[];
}

/** An entry whose tags are computed. */
export interface TaggedEntry {
  readonly key: string;
  readonly input: Uint8Array | undefined;
  readonly value: Uint8Array | undefined;
}

/**
 * Wraps an error of the user's code as `ORIGIN_FAILED`, even a ParsecError of another cache that the data
 * source uses: an unreachable peer of that cache is a failed origin here.
 */
export function originFailed(name: string, error: unknown): ParsecError {
  return new ParsecError("ORIGIN_FAILED", `${name}: ${messageOf(error)}`, { cause: error });
}
