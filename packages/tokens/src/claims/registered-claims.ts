import { ParsecError } from "@parsec/core";

/**
 * Claims that only the issuer sets: RFC 7519 §4.1, RFC 8693 §4, RFC 7800. A mapper that could write
 * one would decide who the token speaks of, for whom and for how long.
 */
const registered: ReadonlySet<string> = new Set([
  "iss",
  "sub",
  "aud",
  "exp",
  "nbf",
  "iat",
  "jti",
  "scope",
  "client_id",
  "act",
  "may_act",
  "cnf",
]);

/** Throws `INVALID_ARGUMENT` when `claim` is the issuer's own. */
export function checkMappedClaim(mapper: string, claim: string): void {
  if (registered.has(claim)) {
    const message = `claim mapper "${mapper}" must not set the registered claim "${claim}"`;
    throw new ParsecError("INVALID_ARGUMENT", message);
  }
}
