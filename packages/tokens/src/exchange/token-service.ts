import { isParsecError } from "@parsec/core";
import { untilAborted } from "@parsec/core/authoring";
import { createClaimPipeline } from "../claims/claim-pipeline.ts";
import type { RequestAttributes } from "../claims/request-attributes.ts";
import { createJwtIssuer } from "../issuer/jwt-issuer.ts";
import type { PublicSigningJwk } from "../keys/key-source.ts";
import type { VerifiedToken } from "../trust/verified-token.ts";
import { actorClaim } from "./actor-claim.ts";
import { startDeadline } from "./deadline.ts";
import {
  checkNoRepeats,
  type DeclaredToken,
  parseExchangeParameters,
} from "./exchange-parameters.ts";
import { grantAudience, grantScope } from "./grants.ts";
import { OAuthError, toOAuthError } from "./oauth-error.ts";
import { checkPresentedToken } from "./presented-token.ts";
import { resolveTokenServiceOptions, type TokenServiceOptions } from "./token-service-options.ts";
import { accessTokenType, type IssuedTokenType } from "./token-types.ts";

// Empty, and merged with the interface of `@types/node` or the DOM: with neither, declarations still compile.
declare global {
  interface URLSearchParams {}
}

/** A request to the token endpoint. */
export interface ExchangeRequest {
  /** The parsed body, with repeated parameters. */
  readonly form: URLSearchParams;
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
  /** Attributes of the request, for claim mappers. */
  readonly attributes: RequestAttributes;
}

/** A successful response, with the names of the JSON (RFC 8693 §2.2.1). */
export interface ExchangeResponse {
  /** The signed JWT. */
  readonly access_token: string;
  /** Its type, as requested. */
  readonly issued_token_type: IssuedTokenType;
  readonly token_type: "Bearer";
  /** Lifetime in seconds. */
  readonly expires_in: number;
  /** The granted scope; absent when it is the requested one. */
  readonly scope?: string;
}

/** Exchanges tokens (RFC 8693). Each node of a cluster has one, and all of them act as one issuer. */
export interface TokenService {
  /** The issuer identifier. */
  readonly issuer: string;
  /** Supported client authentication methods (RFC 8414 `token_endpoint_auth_methods_supported`). */
  readonly clientAuthMethods: readonly string[];
  /** How long clients may cache `jwks`. */
  readonly jwksMaxAgeMs: number;
  /** The public keys for all valid tokens. Returns the same object until they change. */
  jwks(): readonly PublicSigningJwk[];
  /** Exchanges a token. Rejects with `OAuthError` only. */
  exchange(
    request: ExchangeRequest,
    options?: { readonly signal?: AbortSignal },
  ): Promise<ExchangeResponse>;
}

/** JWT times are whole seconds, so a shorter lifetime could round to zero. */
const minLifetimeMs = 2_000;

/**
 * Creates a token service: it verifies the subject token, fetches claims from data sources, and signs a
 * new token. Throws `INVALID_ARGUMENT` for invalid options and for mappers with unknown data sources.
 */
export function createTokenService(options: TokenServiceOptions): TokenService {
  const resolved = resolveTokenServiceOptions(options);
  const { trust, keys, clients, now } = resolved;
  const claims = createClaimPipeline(resolved.claimMappers, resolved.dataSources);
  const issuer = createJwtIssuer({ issuer: resolved.issuer, keys, now });

  const verify = async (
    { token, name, type }: DeclaredToken,
    signal: AbortSignal,
  ): Promise<VerifiedToken> => {
    try {
      const verified = await trust.verify(token, { signal });
      checkPresentedToken(verified, { name, type });
      return verified;
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
      verify(parameters.subjectToken, signal),
      parameters.actorToken && verify(parameters.actorToken, signal),
    ]);
    const scope = grantScope(parameters.scope, subject.scope);
    const act = actorClaim(subject, actor);
    const mapped = await claims.run({ subject, actor, request: request.attributes, signal });
    // A token must not outlive the token it was made from, or it would survive that token's expiry.
    const notAfterMs = Math.min(subject.acceptedUntilMs, actor?.acceptedUntilMs ?? Infinity);
    if (notAfterMs - now() < minLifetimeMs) {
      throw new OAuthError("invalid_request", "subject_token: token expires too soon");
    }
    const isAccessToken = parameters.requestedTokenType === accessTokenType;
    const issued = await issuer.issue({
      // RFC 9068 §2.2 requires client_id in an at+jwt, so without an authenticated client it is another JWT.
      type: isAccessToken && client.id !== undefined ? "at+jwt" : "JWT",
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
        return await untilAborted(exchange(request, deadline.signal), deadline.signal);
      } catch (reason) {
        throw toOAuthError(deadline.signal.aborted ? deadline.signal.reason : reason);
      } finally {
        deadline.clear();
      }
    },
  };
}
