import { invalidArgument } from "@parsec/core/authoring";

/**
 * Claims that only the issuer sets: RFC 7519 §4.1, RFC 8693 §4, RFC 7800. They decide the subject,
 * audience and lifetime of a token.
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

/** Throws `INVALID_ARGUMENT` when `claim` is a registered one. */
export function checkMappedClaim(mapper: string, claim: string): void {
  if (registered.has(claim)) {
    throw invalidArgument(`claim mapper "${mapper}" must not set the registered claim "${claim}"`);
  }
}
