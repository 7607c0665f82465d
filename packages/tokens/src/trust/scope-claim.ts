/**
 * The scope of a token: `scope` (RFC 8693 §4.2), or `scp` as a string (Entra ID) or an array (Okta).
 * Undefined when it has neither, which differs from an empty scope.
 */
export function scopeOfClaims(
  claims: Readonly<Record<string, unknown>>,
): readonly string[] | undefined {
  const value = claims.scope ?? claims.scp;
  if (typeof value === "string") return value.split(" ").filter((name) => name !== "");
  if (Array.isArray(value)) return value.filter((name) => typeof name === "string");
  return undefined;
}
