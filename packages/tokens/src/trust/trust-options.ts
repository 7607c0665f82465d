import { numberOption } from "@parsec/core/authoring";
import { checkHttpUrl, checkText, invalidOption } from "../option-checks.ts";
import type { WallClock } from "../wall-clock.ts";
import { type SignatureAlgorithm, signatureAlgorithms } from "./signature-algorithms.ts";

// Empty, and merged with the interface of `@types/node` or the DOM: with neither, declarations still compile.
declare global {
  interface URL {}
}

/** An identity provider whose tokens are accepted. */
export interface TrustedIssuerOptions {
  /** Must equal the token's `iss`, character by character. */
  readonly issuer: string;
  /** The token's `aud` must name one of these. Required: a token made for somebody else is no credential here. */
  readonly audience: string | readonly string[];
  /** Where its public keys are. Defaults to `{issuer}/.well-known/jwks.json`. */
  readonly jwksUrl?: string | URL;
  /** Defaults to all asymmetric algorithms; `none` and `HS*` cannot be listed. */
  readonly algorithms?: readonly SignatureAlgorithm[];
  /**
   * Put before `sub` in tokens of ours. Required as soon as several issuers are trusted, so that
   * one's "alice" is never the other's; no prefix may begin another.
   */
  readonly subjectPrefix?: string;
}

export interface TrustOptions {
  readonly issuers: readonly TrustedIssuerOptions[];
  /** How far clocks may differ. Defaults to 5,000; at most 300,000. */
  readonly clockToleranceMs?: number;
  /** Longer tokens are refused unread. Defaults to 16,384. */
  readonly maxTokenBytes?: number;
  /** Memory for tokens that have passed already. Defaults to 16 MiB; 0 verifies every time. */
  readonly memoMaxBytes?: number;
  /** How long a passed token is believed without looking at the keys again. Defaults to 300,000. */
  readonly memoMaxAgeMs?: number;
  /** Keys older than this are refreshed in the background. Defaults to 600,000. */
  readonly jwksMaxAgeMs?: number;
  /** Keys older than this are not used. Defaults to 86,400,000 (a day). */
  readonly jwksMaxStaleMs?: number;
  /** An unknown key id causes one fetch in this time at most. Defaults to 10,000. */
  readonly jwksCooldownMs?: number;
  /** Pause after a failed fetch. Defaults to 1,000. */
  readonly jwksRetryMs?: number;
  /** Limit of one fetch. Defaults to 5,000. */
  readonly jwksTimeoutMs?: number;
  /** A larger key set is refused. Defaults to 524,288. */
  readonly jwksMaxBytes?: number;
  readonly now?: WallClock;
}

export interface ResolvedTrustedIssuer {
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly jwksUrl: URL;
  readonly algorithms: readonly SignatureAlgorithm[];
  readonly subjectPrefix: string;
}

export interface ResolvedTrustOptions extends Required<Omit<TrustOptions, "issuers">> {
  readonly issuers: readonly ResolvedTrustedIssuer[];
}

const dayMs = 86_400_000;
const mebibyte = 1_048_576;

/** Fills the defaults in. Throws `INVALID_ARGUMENT` naming the option and its limits. */
export function resolveTrustOptions(options: TrustOptions): ResolvedTrustOptions {
  const number = (
    name: Exclude<keyof TrustOptions, "issuers" | "now">,
    limits: { readonly fallback: number; readonly min: number; readonly max: number },
  ): number => numberOption(name, { given: options[name], ...limits });
  if (options.issuers.length === 0) throw invalidOption("issuers", "must list at least one issuer");
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
    now: options.now ?? Date.now,
  };
}

function resolveIssuer(options: TrustedIssuerOptions, index: number): ResolvedTrustedIssuer {
  const at = `issuers[${index}]`;
  const issuer = checkText(`${at}.issuer`, options.issuer);
  const audience =
    typeof options.audience === "string" ? [options.audience] : [...(options.audience ?? [])];
  if (audience.length === 0) throw invalidOption(`${at}.audience`, "must name an audience");
  for (const name of audience) checkText(`${at}.audience`, name);
  const jwksUrl = options.jwksUrl ?? `${issuer.replace(/\/$/, "")}/.well-known/jwks.json`;
  const algorithms = options.algorithms ?? signatureAlgorithms;
  if (algorithms.length === 0 || algorithms.some((name) => !signatureAlgorithms.includes(name))) {
    throw invalidOption(`${at}.algorithms`, `must be some of ${signatureAlgorithms.join(", ")}`);
  }
  return {
    issuer,
    audience,
    jwksUrl: checkHttpUrl(`${at}.jwksUrl`, jwksUrl),
    algorithms: [...algorithms],
    subjectPrefix: options.subjectPrefix ?? "",
  };
}

function checkDistinct(issuers: readonly ResolvedTrustedIssuer[]): void {
  for (const [index, one] of issuers.entries()) {
    for (const other of issuers.slice(index + 1)) {
      if (one.issuer === other.issuer) {
        throw invalidOption("issuers", `must not list ${one.issuer} twice`);
      }
      const [a, b] = [one.subjectPrefix, other.subjectPrefix];
      if (a.startsWith(b) || b.startsWith(a)) {
        const rule = `of ${one.issuer} and ${other.issuer} must differ, and neither may begin the other`;
        throw invalidOption("subjectPrefix", rule);
      }
    }
  }
}
