/** RFC 6749 §3.3: printable ASCII without space, quote and backslash. */
const scopeName = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * The scope of a token: `scope` (RFC 8693 §4.2), or `scp` as a string (Entra ID) or an array (Okta).
 * Undefined when it has neither, which differs from an empty scope. Omits names with a character that
 * RFC 6749 does not allow: an array item with a space would become two names in the issued token.
 */
export function scopeOfClaims(
  claims: Readonly<Record<string, unknown>>,
): readonly string[] | undefined {
  const value = claims.scope ?? claims.scp;
  const names = typeof value === "string" ? value.split(" ") : value;
  if (!Array.isArray(names)) return undefined;
  return names.filter((name) => typeof name === "string" && scopeName.test(name));
}
