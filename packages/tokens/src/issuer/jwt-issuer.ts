import { randomUUID } from "node:crypto";
import { ParsecError } from "@parsec/core";
import type { MappedClaims } from "../claims/claim-mapper.ts";
import type { KeySource } from "../keys/key-source.ts";
import type { WallClock } from "../wall-clock.ts";

/** The contents of one token. */
export interface IssueRequest {
  /** `typ` of the header: `at+jwt` (RFC 9068) or `JWT`. */
  readonly type: "at+jwt" | "JWT";
  readonly subject: string;
  /** At least one; a single one is written as a string, several as an array. */
  readonly audience: readonly string[];
  readonly scope: readonly string[] | undefined;
  readonly clientId: string | undefined;
  /** The `act` claim (RFC 8693 §4.1). */
  readonly actor: Readonly<Record<string, unknown>> | undefined;
  readonly ttlMs: number;
  /** Latest expiry, in ms since the epoch. */
  readonly notAfterMs: number;
  /** Must not contain registered claims; the claim pipeline ensures that. */
  readonly claims: MappedClaims;
}

/** A signed token. */
export interface IssuedToken {
  readonly token: string;
  /** Whole seconds from now until `exp`. */
  readonly expiresInSeconds: number;
}

/** Signs tokens. */
export interface JwtIssuer {
  /** Rejects with `CODEC_FAILED` for claims that are not JSON, and with the error of the signing key. */
  issue(request: IssueRequest): Promise<IssuedToken>;
}

/** Creates an issuer of ES256 JWTs. */
export function createJwtIssuer(options: {
  readonly issuer: string;
  readonly keys: KeySource;
  readonly now: WallClock;
}): JwtIssuer {
  const { issuer, keys, now } = options;
  return {
    async issue(request) {
      const nowMs = now();
      const issuedAt = Math.floor(nowMs / 1000);
      const lifeMs = Math.min(request.ttlMs, keys.maxTokenTtlMs, request.notAfterMs - nowMs);
      const expiresAt = Math.floor((nowMs + lifeMs) / 1000);
      const { signing } = keys.keysAt(nowMs);
      const header = { alg: "ES256", typ: request.type, kid: signing.kid };
      const payload = {
        ...request.claims,
        iss: issuer,
        sub: request.subject,
        aud: request.audience.length === 1 ? request.audience[0] : request.audience,
        iat: issuedAt,
        exp: expiresAt,
        jti: randomUUID(),
        ...(request.clientId === undefined ? {} : { client_id: request.clientId }),
        ...(request.scope === undefined ? {} : { scope: request.scope.join(" ") }),
        ...(request.actor === undefined ? {} : { act: request.actor }),
      };
      const signed = `${encode(header)}.${encode(payload)}`;
      const signature = await signing.sign(Buffer.from(signed));
      const token = `${signed}.${Buffer.from(signature).toString("base64url")}`;
      return { token, expiresInSeconds: expiresAt - issuedAt };
    },
  };
}

function encode(part: unknown): string {
  try {
    return Buffer.from(JSON.stringify(part)).toString("base64url");
  } catch (cause) {
    throw new ParsecError("CODEC_FAILED", "claims must be serializable as JSON", { cause });
  }
}
