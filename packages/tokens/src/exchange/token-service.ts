import { isParsecError } from "@parsec/core";
import { createClaimPipeline } from "../claims/claim-pipeline.ts";
import type { RequestAttributes } from "../claims/request-attributes.ts";
import { startDeadline, waitFor } from "../deadline.ts";
import { createJwtIssuer } from "../issuer/jwt-issuer.ts";
import type { PublicSigningJwk } from "../keys/key-source.ts";
import type { VerifiedToken } from "../trust/verified-token.ts";
import { actorClaim } from "./actor-claim.ts";
import { checkNoRepeats, parseExchangeParameters } from "./exchange-parameters.ts";
import { grantAudience } from "./granted-audience.ts";
import { grantScope } from "./granted-scope.ts";
import { OAuthError, toOAuthError } from "./oauth-error.ts";
import { resolveTokenServiceOptions, type TokenServiceOptions } from "./token-service-options.ts";
import { accessTokenType, type IssuedTokenType } from "./token-types.ts";

// Empty, and merged with the interface of `@types/node` or the DOM: with neither, declarations still compile.
declare global {
  interface URLSearchParams {}
}

/** A request to the token endpoint. */
export interface ExchangeRequest {
  /** The parsed body, repeated parameters included. */
  readonly form: URLSearchParams;
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
  readonly attributes: RequestAttributes;
}

/** A successful answer; the names are those of the JSON (RFC 8693 §2.2.1). */
export interface ExchangeResponse {
  readonly access_token: string;
  readonly issued_token_type: IssuedTokenType;
  readonly token_type: "Bearer";
  readonly expires_in: number;
  /** Left out when it is what was asked for. */
  readonly scope?: string;
}

/** Exchanges tokens; one per node, all nodes of a cluster being one issuer. */
export interface TokenService {
  readonly issuer: string;
  /** Ways in which clients can authenticate, as metadata lists them. */
  readonly clientAuthMethods: readonly string[];
  /** How long `jwks` may be kept. */
  readonly jwksMaxAgeMs: number;
  /** Public keys that verify the tokens in circulation; the same object while nothing changed. */
  jwks(): readonly PublicSigningJwk[];
  /** Rejects with an `OAuthError` only. */
  exchange(
    request: ExchangeRequest,
    options?: { readonly signal?: AbortSignal },
  ): Promise<ExchangeResponse>;
}

/** JWT times are whole seconds: less than this could be no life at all. */
const shortestLifeMs = 2_000;

/**
 * Builds the pipeline credential → trust → data sources → claims → signed token. Throws
 * `INVALID_ARGUMENT` for options out of range and for mappers that ask for unknown data sources.
 */
export function createTokenService(options: TokenServiceOptions): TokenService {
  const resolved = resolveTokenServiceOptions(options);
  const { trust, keys, clients, now } = resolved;
  const claims = createClaimPipeline(resolved.claimMappers, resolved.dataSources);
  const issuer = createJwtIssuer({ issuer: resolved.issuer, keys, now });

  const verify = async (
    token: string,
    name: "subject_token" | "actor_token",
    signal: AbortSignal,
  ): Promise<VerifiedToken> => {
    try {
      return await trust.verify(token, { signal });
    } catch (reason) {
      // RFC 8693 §2.2.2: a bad token is invalid_request, not invalid_grant.
      if (isParsecError(reason) && reason.code === "UNAUTHENTICATED") {
        throw new OAuthError("invalid_request", `${name}: ${reason.message}`, { cause: reason });
      }
      throw reason;
    }
  };

  const exchange = async (
    request: ExchangeRequest,
    signal: AbortSignal,
  ): Promise<ExchangeResponse> => {
    const { form } = request;
    checkNoRepeats(form);
    const client = clients.authenticate(request.authorization, form);
    const parameters = parseExchangeParameters(form);
    const audience = grantAudience(
      [...parameters.audiences, ...parameters.resources],
      resolved.audiences,
    );
    const [subject, actor] = await Promise.all([
      verify(parameters.subjectToken, "subject_token", signal),
      parameters.actorToken === undefined
        ? undefined
        : verify(parameters.actorToken, "actor_token", signal),
    ]);
    const scope = grantScope(parameters.scope, subject.scope);
    const act = actorClaim(subject, actor);
    const mapped = await claims.run({ subject, actor, request: request.attributes, signal });
    // A token made from another one does not outlive it: its revocation would never be noticed.
    const notAfterMs = Math.min(subject.acceptedUntilMs, actor?.acceptedUntilMs ?? Infinity);
    if (notAfterMs - now() < shortestLifeMs) {
      throw new OAuthError("invalid_request", "subject_token: the token expires too soon");
    }
    const issued = await issuer.issue({
      type: parameters.requestedTokenType === accessTokenType ? "at+jwt" : "JWT",
      subject: subject.qualifiedSubject,
      audience,
      scope,
      clientId: client.id,
      actor: act,
      ttlMs: resolved.ttlMs,
      notAfterMs,
      claims: mapped,
    });
    return {
      access_token: issued.token,
      issued_token_type: parameters.requestedTokenType,
      token_type: "Bearer",
      expires_in: issued.expiresInSeconds,
      ...(scope === undefined || parameters.scope !== undefined ? {} : { scope: scope.join(" ") }),
    };
  };

  return {
    issuer: resolved.issuer,
    clientAuthMethods: clients.methods,
    jwksMaxAgeMs: keys.jwksMaxAgeMs,
    jwks: () => keys.keysAt(now()).published,
    async exchange(request, { signal } = {}) {
      const deadline = startDeadline(resolved.timeoutMs, signal);
      try {
        return await waitFor(exchange(request, deadline.signal), deadline.signal);
      } catch (reason) {
        throw toOAuthError(reason);
      } finally {
        deadline.clear();
      }
    },
  };
}
