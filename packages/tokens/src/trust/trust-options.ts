import { invalidArgument, knownOptions, numberOption } from "@parsec/core/authoring";
import { checkText } from "../option-checks.ts";
import type { WallClock } from "../wall-clock.ts";
import { checkKeyUrl } from "./provider-url.ts";
import { type SignatureAlgorithm, signatureAlgorithms } from "./signature-algorithms.ts";

// Empty, and merged with the interface of `@types/node` or the DOM: with neither, declarations still compile.
declare global {
  interface URL {}
}

/** An identity provider whose tokens are accepted. */
export interface TrustedIssuerOptions {
  /** The issuer identifier; must equal the token's `iss` exactly. */
  readonly issuer: string;
  /** The token's `aud` must contain one of these. Required, so that tokens issued for another service are rejected. */
  readonly audience: string | readonly string[];
  /**
   * URL of its public keys: https, or http on loopback. Defaults to `jwks_uri` of the issuer's OpenID
   * configuration or RFC 8414 metadata, and to `{issuer}/.well-known/jwks.json` when it has neither.
   */
  readonly jwksUrl?: string | URL;
  /** Accepted signature algorithms. Defaults to all asymmetric ones; `none` and `HS*` are not allowed. */
  readonly algorithms?: readonly SignatureAlgorithm[];
  /**
   * Prefix of `sub` in issued tokens. Required when several issuers are trusted, so that equal subjects
   * of different issuers stay distinct; no prefix may be a prefix of another. Defaults to `""`.
   */
  readonly subjectPrefix?: string;
}

/** Whether the keys of an issuer can be fetched. */
export interface TrustKeysEvent {
  readonly issuer: string;
  /** The URL, without credentials and query, and the reason; undefined when a fetch succeeded after failures. */
  readonly failure: string | undefined;
}

/** Options of `createTrustStore`. Times in milliseconds. */
export interface TrustOptions {
  /** The trusted issuers; at least one. */
  readonly issuers: readonly TrustedIssuerOptions[];
  /** Accepted clock difference to the issuer, for `exp` and `nbf`. Defaults to 5,000; at most 300,000. */
  readonly clockToleranceMs?: number;
  /** Maximum length of a token; longer ones are rejected unparsed. Defaults to 16,384. */
  readonly maxTokenBytes?: number;
  /** Memory for verified tokens, in bytes. Defaults to 16 MiB; 0 verifies every time. */
  readonly memoMaxBytes?: number;
  /** How long a verified token is accepted without another signature check. Defaults to 300,000. */
  readonly memoMaxAgeMs?: number;
  /** Keys older than this are refreshed in the background. Defaults to 600,000. */
  readonly jwksMaxAgeMs?: number;
  /** Keys older than this are not used. Defaults to 86,400,000 (a day). */
  readonly jwksMaxStaleMs?: number;
  /** Unknown key ids cause at most one fetch in this time. Defaults to 10,000. */
  readonly jwksCooldownMs?: number;
  /** Minimum time between a failed fetch and the next one. Defaults to 1,000. */
  readonly jwksRetryMs?: number;
  /** Timeout of one fetch. Defaults to 5,000. */
  readonly jwksTimeoutMs?: number;
  /** Maximum size of a key set. Defaults to 524,288. */
  readonly jwksMaxBytes?: number;
  /** Called when fetching keys begins to fail, fails for another reason, or recovers; for logs. Defaults to none. */
  readonly onKeys?: (event: TrustKeysEvent) => void;
  /** For tests; defaults to `Date.now`. */
  readonly now?: WallClock;
}

/** {@link TrustedIssuerOptions} after checks, with all defaults filled in. */
export interface ResolvedTrustedIssuer {
  readonly issuer: string;
  readonly audience: readonly string[];
  /** Undefined to find it by discovery. */
  readonly jwksUrl: URL | undefined;
  readonly algorithms: readonly SignatureAlgorithm[];
  readonly subjectPrefix: string;
}

/** {@link TrustOptions} after checks, with all defaults filled in. */
export interface ResolvedTrustOptions extends Required<Omit<TrustOptions, "issuers">> {
  readonly issuers: readonly ResolvedTrustedIssuer[];
}

const dayMs = 86_400_000;
const mebibyte = 1_048_576;

/** Checks and completes the options. Throws `INVALID_ARGUMENT` with the option and the rule. */
export function resolveTrustOptions(options: TrustOptions): ResolvedTrustOptions {
  knownOptions("createTrustStore", options, {
    issuers: 1,
    clockToleranceMs: 1,
    maxTokenBytes: 1,
    memoMaxBytes: 1,
    memoMaxAgeMs: 1,
    jwksMaxAgeMs: 1,
    jwksMaxStaleMs: 1,
    jwksCooldownMs: 1,
    jwksRetryMs: 1,
    jwksTimeoutMs: 1,
    jwksMaxBytes: 1,
    onKeys: 1,
    now: 1,
  });
  const number = (
    name: Exclude<keyof TrustOptions, "issuers" | "onKeys" | "now">,
    limits: { readonly fallback: number; readonly min: number; readonly max: number },
  ): number => numberOption(name, { given: options[name], ...limits });
  if (options.issuers.length === 0) throw invalidArgument("issuers must not be empty");
  const issuers = options.issuers.map(resolveIssuer);
  checkDistinct(issuers);
  return {
    issuers,
    clockToleranceMs: number("clockToleranceMs", { fallback: 5_000, min: 0, max: 300_000 }),
    maxTokenBytes: number("maxTokenBytes", { fallback: 16_384, min: 256, max: mebibyte }),
    memoMaxBytes: number("memoMaxBytes", { fallback: 16 * mebibyte, min: 0, max: 2 ** 31 }),
    memoMaxAgeMs: number("memoMaxAgeMs", { fallback: 300_000, min: 0, max: dayMs }),
    jwksMaxAgeMs: number("jwksMaxAgeMs", { fallback: 600_000, min: 0, max: dayMs }),
    jwksMaxStaleMs: number("jwksMaxStaleMs", { fallback: dayMs, min: 0, max: 30 * dayMs }),
    jwksCooldownMs: number("jwksCooldownMs", { fallback: 10_000, min: 0, max: dayMs }),
    jwksRetryMs: number("jwksRetryMs", { fallback: 1_000, min: 10, max: dayMs }),
    jwksTimeoutMs: number("jwksTimeoutMs", { fallback: 5_000, min: 10, max: 60_000 }),
    jwksMaxBytes: number("jwksMaxBytes", { fallback: 524_288, min: 256, max: 16 * mebibyte }),
    onKeys: options.onKeys ?? (() => {}),
    now: options.now ?? Date.now,
  };
}

function resolveIssuer(options: TrustedIssuerOptions, index: number): ResolvedTrustedIssuer {
  const at = `issuers[${index}]`;
  knownOptions(at, options, {
    issuer: 1,
    audience: 1,
    jwksUrl: 1,
    algorithms: 1,
    subjectPrefix: 1,
  });
  const issuer = checkText(`${at}.issuer`, options.issuer);
  const audience =
    typeof options.audience === "string" ? [options.audience] : [...(options.audience ?? [])];
  if (audience.length === 0) throw invalidArgument(`${at}.audience must not be empty`);
  for (const name of audience) checkText(`${at}.audience`, name);
  const algorithms = options.algorithms ?? signatureAlgorithms;
  if (algorithms.length === 0 || algorithms.some((name) => !signatureAlgorithms.includes(name))) {
    throw invalidArgument(
      `${at}.algorithms must be a non-empty list of ${signatureAlgorithms.join(", ")}`,
    );
  }
  return {
    issuer,
    audience,
    jwksUrl: resolveJwksUrl(at, issuer, options.jwksUrl),
    algorithms: [...algorithms],
    subjectPrefix: options.subjectPrefix ?? "",
  };
}

/** Without a URL the issuer itself must be one from which keys may be fetched. */
function resolveJwksUrl(
  at: string,
  issuer: string,
  given: string | URL | undefined,
): URL | undefined {
  if (given !== undefined) return checkKeyUrl(`${at}.jwksUrl`, given);
  if (!URL.canParse(issuer)) {
    throw invalidArgument(`${at}.jwksUrl must be set when issuer is not a URL, got ${issuer}`);
  }
  checkKeyUrl(`${at}.issuer, without jwksUrl,`, issuer);
  return undefined;
}

function checkDistinct(issuers: readonly ResolvedTrustedIssuer[]): void {
  for (const [index, one] of issuers.entries()) {
    for (const other of issuers.slice(index + 1)) {
      if (one.issuer === other.issuer) {
        throw invalidArgument(`issuers must not list ${one.issuer} twice`);
      }
      const [a, b] = [one.subjectPrefix, other.subjectPrefix];
      if (a.startsWith(b) || b.startsWith(a)) {
        throw invalidArgument(
          `subjectPrefix must not be a prefix of another: ${one.issuer} has "${a}", ${other.issuer} has "${b}"`,
        );
      }
    }
  }
}
