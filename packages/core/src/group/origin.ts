import { ParsecError } from "../errors.ts";
import type { Decoder } from "../memory/group-memory.ts";

/** What a load gets beside its key. The signal is made when it is first read, because most loads never do. */
export interface LoadContext {
  readonly input: Uint8Array | undefined;
  readonly signal: AbortSignal;
}

/** What a group asks of its origin. */
export interface Origin<Input, T> extends Decoder<T> {
  /** Whether `""`, which is never cached, is asked of its owner all the same (a group) or not (a data source). */
  readonly emptyKeyHasOwner: boolean;
  /** What travels to the owner beside the key; undefined for plain groups. */
  encodeInput(input: Input): Uint8Array | undefined;
  /** Fetches the value of a key. Rejects with a `ParsecError`, `ORIGIN_FAILED` for whatever the user's code threw. */
  load(key: string, context: LoadContext): Promise<Uint8Array | undefined>;
  /** Labels by which the entry may be invalidated. Throws `ORIGIN_FAILED`. */
  tags(entry: TaggedEntry): readonly string[];
}

export interface TaggedEntry {
  readonly key: string;
  readonly input: Uint8Array | undefined;
  readonly value: Uint8Array | undefined;
}

/**
 * What a source's own code threw, typed. Always `ORIGIN_FAILED`, even when it is a ParsecError of
 * another cache that the source stands on: to us, that one's peers are the origin's affair.
 */
export function originFailed(name: string, error: unknown): ParsecError {
  const detail = error instanceof Error ? error.message : String(error);
  return new ParsecError("ORIGIN_FAILED", `${name}: ${detail}`, { cause: error });
}
