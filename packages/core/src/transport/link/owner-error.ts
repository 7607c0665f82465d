import { ParsecError } from "../../errors.ts";

/**
 * An error the owner reported about a lookup, as the asker sees it. Its own typed errors stay what
 * they are; an owner that is closing, or whose wait was cut short, could not be asked after all.
 */
export function errorFromOwner(error: ParsecError): ParsecError {
  const unasked =
    error.code === "CLOSED" || error.code === "ABORTED" || error.code === "UNAUTHENTICATED";
  if (!unasked) return error;
  return new ParsecError("PEER_UNREACHABLE", `the owner could not answer: ${error.message}`, {
    cause: error,
  });
}
