/**
 * The scope a token carries: `scope` as RFC 8693 §4.2 spells it, or `scp` as Entra ID (text) and
 * Okta (list) do. Undefined when it has neither, which is not the same as an empty scope.
 */
export function scopeOfClaims(
  claims: Readonly<Record<string, unknown>>,
): readonly string[] | undefined {
  const value = claims.scope ?? claims.scp;
  if (typeof value === "string") return value.split(" ").filter((name) => name !== "");
  if (Array.isArray(value)) return value.filter((name) => typeof name === "string");
  return undefined;
}
