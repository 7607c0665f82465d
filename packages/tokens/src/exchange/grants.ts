import { OAuthError } from "./oauth-error.ts";

/** The audience of the new token: the requested one, or by default the first allowed one. Throws `invalid_target`. */
export function grantAudience(
  requested: readonly string[],
  allowed: readonly string[],
): readonly string[] {
  if (requested.length === 0) return allowed.slice(0, 1);
  if (!requested.every((target) => allowed.includes(target))) {
    throw new OAuthError("invalid_target", "audience or resource is not allowed");
  }
  return [...new Set(requested)];
}

/**
 * The scope of the new token: the requested one, or by default that of the subject token. A scope that
 * the subject token does not have is never granted. Throws `invalid_scope`.
 */
export function grantScope(
  requested: readonly string[] | undefined,
  held: readonly string[] | undefined,
): readonly string[] | undefined {
  if (requested === undefined) return held;
  if (!requested.every((name) => held?.includes(name))) {
    throw new OAuthError("invalid_scope", "scope must be within the scope of the subject token");
  }
  return requested;
}
