import type { VerifiedToken } from "../trust/verified-token.ts";
import type { DeclaredToken } from "./exchange-parameters.ts";
import { OAuthError } from "./oauth-error.ts";
import { accessTokenType, idTokenType } from "./token-types.ts";

/**
 * Throws `invalid_request` unless a verified token may be exchanged as the type that the client declared.
 * A logout token, a proof or a transaction token has a valid signature of the same issuer, but was not
 * made to be exchanged (RFC 8725 §3.11). A token that is bound to a key (`cnf`) would lose the binding.
 */
export function checkPresentedToken(
  token: VerifiedToken,
  declared: Pick<DeclaredToken, "name" | "type">,
): void {
  const { name, type } = declared;
  const refuse = (rule: string): never => {
    throw new OAuthError("invalid_request", `${name}: ${rule}`);
  };
  if (token.mediaType !== undefined && !mediaTypes.has(token.mediaType)) {
    refuse("typ of the header must be JWT or at+jwt, or absent");
  }
  const kind = kindOf(token);
  if (kind === "other") refuse("token is not an access token or an ID token");
  if (type === accessTokenType && kind === "id")
    refuse("token is an ID token, not an access token");
  if (type === idTokenType && kind === "access") {
    refuse("token is an access token, not an ID token");
  }
  if (token.claims.cnf !== undefined && token.claims.cnf !== null) {
    refuse("token is bound to a key (cnf), and proofs of possession are not supported");
  }
}

const mediaTypes: ReadonlySet<string> = new Set(["jwt", "at+jwt"]);

/** Hashes of what an authorization server returned beside an ID token (OpenID Connect Core §3.3.2.11). */
const idTokenClaims = ["at_hash", "c_hash", "s_hash"] as const;

/** `typ` claims of Keycloak and `token_use` claims of Cognito, whose headers are the same for all kinds. */
const accessNames: ReadonlySet<unknown> = new Set(["Bearer", "access"]);
const idNames: ReadonlySet<unknown> = new Set(["ID", "id"]);
const otherNames: ReadonlySet<unknown> = new Set(["Refresh", "Offline", "Logout", "refresh"]);

/** What the token says about its kind; undefined when it does not. */
function kindOf({ mediaType, claims }: VerifiedToken): "access" | "id" | "other" | undefined {
  const names = [claims.typ, claims.token_use];
  if (hasSecurityEvents(claims) || names.some((name) => otherNames.has(name))) return "other";
  if (mediaType === "at+jwt" || names.some((name) => accessNames.has(name))) return "access";
  const isId = idTokenClaims.some((name) => claims[name] !== undefined);
  return isId || names.some((name) => idNames.has(name)) ? "id" : undefined;
}

/** RFC 8417 §2.2: security event tokens, such as logout tokens, have `events` by URI. */
function hasSecurityEvents({ events }: VerifiedToken["claims"]): boolean {
  if (typeof events !== "object" || events === null) return false;
  return Object.keys(events).some((name) => URL.canParse(name));
}
