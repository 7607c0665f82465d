import type { VerifiedToken } from "../trust/verified-token.ts";
import { OAuthError } from "./oauth-error.ts";

/** Only the outermost actor decides (RFC 8693 §4.1); the rest is history that would grow with each exchange. */
const maxActors = 8;

/** The content of an `act` claim (RFC 8693 §4.1). */
export type ActorClaim = Readonly<Record<string, unknown>>;

/**
 * The `act` claim of the new token. A new actor is added to the chain of the subject token; without one
 * the chain is copied. Throws `invalid_request` when the subject token's `may_act` names another actor,
 * and when the chain is longer than {@link maxActors}.
 */
export function actorClaim(
  subject: VerifiedToken,
  actor: VerifiedToken | undefined,
): ActorClaim | undefined {
  const earlier = asObject(subject.claims.act);
  checkLength(earlier);
  if (actor === undefined) return earlier;
  checkMayAct(subject, actor);
  return {
    iss: actor.issuer,
    sub: actor.subject,
    ...(earlier === undefined ? {} : { act: earlier }),
  };
}

function checkLength(chain: ActorClaim | undefined): void {
  let length = 0;
  for (let actor = chain; actor !== undefined; actor = asObject(actor.act)) length += 1;
  if (length >= maxActors) {
    throw new OAuthError(
      "invalid_request",
      `subject_token: act must have fewer than ${maxActors} nested actors`,
    );
  }
}

function checkMayAct(subject: VerifiedToken, actor: VerifiedToken): void {
  if (subject.claims.may_act === undefined) return;
  const allowed = asObject(subject.claims.may_act);
  // Without `iss`, the subject token's issuer is meant: the same `sub` of another issuer is another actor.
  const issuer = allowed?.iss ?? subject.issuer;
  if (allowed?.sub !== actor.subject || issuer !== actor.issuer) {
    throw new OAuthError(
      "invalid_request",
      "actor_token does not match may_act of the subject token",
    );
  }
}

function asObject(value: unknown): ActorClaim | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as ActorClaim)
    : undefined;
}
