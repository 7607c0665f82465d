import { ParsecError } from "../errors.ts";

/**
 * What a source's own code threw, typed. Always `ORIGIN_FAILED`, even when it is a ParsecError of
 * another cache that the source stands on: to us, that one's peers are the origin's affair.
 */
export function originFailed(name: string, error: unknown): ParsecError {
  const detail = error instanceof Error ? error.message : String(error);
  return new ParsecError("ORIGIN_FAILED", `${name}: ${detail}`, { cause: error });
}
