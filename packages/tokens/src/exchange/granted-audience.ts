import { OAuthError } from "./oauth-error.ts";

/** For whom the new token is meant: what was asked for, or the default. Throws `invalid_target`. */
export function grantAudience(
  requested: readonly string[],
  allowed: readonly string[],
): readonly string[] {
  if (requested.length === 0) return allowed.slice(0, 1);
  if (!requested.every((target) => allowed.includes(target))) {
    throw new OAuthError("invalid_target", "no token is issued here for that audience or resource");
  }
  return [...new Set(requested)];
}
