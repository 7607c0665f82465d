import type { VerifiedToken } from "../trust/verified-token.ts";
import { OAuthError } from "./oauth-error.ts";

/** The content of an `act` claim (RFC 8693 §4.1). */
export type ActorClaim = Readonly<Record<string, unknown>>;

/**
 * Who acts for the subject. A new actor wraps the chain the subject token already carries; without
 * one the chain stays as it is. Throws `invalid_request` when the subject token names with
 * `may_act` somebody else as its only actor.
 */
export function actorClaim(
  subject: VerifiedToken,
  actor: VerifiedToken | undefined,
): ActorClaim | undefined {
  const earlier = asObject(subject.claims.act);
  if (actor === undefined) return earlier;
  checkMayAct(subject, actor);
  return {
    iss: actor.issuer,
    sub: actor.subject,
    ...(earlier === undefined ? {} : { act: earlier }),
  };
}

function checkMayAct(subject: VerifiedToken, actor: VerifiedToken): void {
  if (subject.claims.may_act === undefined) return;
  const allowed = asObject(subject.claims.may_act);
  // Without `iss` the subject token's own issuer is meant: the same `sub` elsewhere is somebody else.
  const issuer = allowed?.iss ?? subject.issuer;
  if (allowed?.sub !== actor.subject || issuer !== actor.issuer) {
    throw new OAuthError("invalid_request", "the subject token does not let this actor act for it");
  }
}

function asObject(value: unknown): ActorClaim | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as ActorClaim)
    : undefined;
}
