import { OAuthError } from "./oauth-error.ts";

/**
 * The scope of the new token: what was asked for, which must be within the subject token's, or all
 * of the latter. A subject token without scope gives none away. Throws `invalid_scope`.
 */
export function grantScope(
  requested: readonly string[] | undefined,
  held: readonly string[] | undefined,
): readonly string[] | undefined {
  if (requested === undefined) return held;
  if (!requested.every((name) => held?.includes(name))) {
    throw new OAuthError("invalid_scope", "more scope is asked for than the subject token has");
  }
  return requested;
}
