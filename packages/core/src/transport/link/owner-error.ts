import { ParsecError } from "../../errors.ts";

/**
 * Maps an error that an owner reported for a lookup to the requester's error. `CLOSED`, `ABORTED` and
 * `UNAUTHENTICATED` become `PEER_UNREACHABLE`, so that the fallback owner is tried; others stay as they are.
 */
export function errorFromOwner(error: ParsecError): ParsecError {
  const isUnavailable =
    error.code === "CLOSED" || error.code === "ABORTED" || error.code === "UNAUTHENTICATED";
  if (!isUnavailable) return error;
  return new ParsecError("PEER_UNREACHABLE", `the owner could not answer: ${error.message}`, {
    cause: error,
  });
}
