import { describe, invalidArgument, knownOptions, numberOption } from "@parsec/core/authoring";
import type { ClaimMapper } from "../claims/claim-mapper.ts";
import type { KeySource } from "../keys/key-source.ts";
import { checkHttpUrl, checkText } from "../option-checks.ts";
import type { TokenDataSources } from "../sources/token-data-source.ts";
import type { TrustStore } from "../trust/trust-store.ts";
import type { WallClock } from "../wall-clock.ts";
import {
  type ClientAuthenticationOptions,
  type ClientAuthenticator,
  createClientAuthenticator,
} from "./client-authentication.ts";

/** Options of `createTokenService`. Times in milliseconds. */
export interface TokenServiceOptions extends ClientAuthenticationOptions {
  /** The issuer identifier: an http or https URL without query and fragment; the same on every node. */
  readonly issuer: string;
  /** Verifies subject and actor tokens. The service does not close it. */
  readonly trust: TrustStore;
  /** The signing keys. The service does not close it. */
  readonly keys: KeySource;
  /** Allowed audiences; the first is the default. */
  readonly audiences: readonly string[];
  /** A core registry with the data sources of the mappers. The service does not close it. */
  readonly dataSources?: TokenDataSources;
  /** Add claims to the tokens, in this order. Defaults to none. */
  readonly claimMappers?: readonly ClaimMapper[];
  /** Lifetime of a token. Defaults to 300,000; at most the key source's `maxTokenTtlMs`. */
  readonly ttlMs?: number;
  /** Timeout of one exchange, data sources included. Defaults to 10,000. */
  readonly timeoutMs?: number;
  /** For tests; defaults to `Date.now`. */
  readonly now?: WallClock;
}

/** {@link TokenServiceOptions} after checks, with all defaults filled in. */
export interface ResolvedTokenServiceOptions {
  readonly issuer: string;
  readonly trust: TrustStore;
  readonly keys: KeySource;
  readonly audiences: readonly string[];
  readonly dataSources: TokenDataSources | undefined;
  readonly claimMappers: readonly ClaimMapper[];
  readonly clients: ClientAuthenticator;
  readonly ttlMs: number;
  readonly timeoutMs: number;
  readonly now: WallClock;
}

/** Checks and completes the options. Throws `INVALID_ARGUMENT` with the option and the rule. */
export function resolveTokenServiceOptions(
  options: TokenServiceOptions,
): ResolvedTokenServiceOptions {
  knownOptions("createTokenService", options, {
    issuer: 1,
    trust: 1,
    keys: 1,
    audiences: 1,
    dataSources: 1,
    claimMappers: 1,
    clients: 1,
    allowUnregistered: 1,
    ttlMs: 1,
    timeoutMs: 1,
    now: 1,
  });
  const { keys } = options;
  const issuer = checkHttpUrl("issuer", checkText("issuer", options.issuer));
  if (issuer.search !== "" || options.issuer.includes("?") || options.issuer.includes("#")) {
    throw invalidArgument(
      `issuer must not have a query or a fragment, got ${describe(options.issuer)}`,
    );
  }
  if (options.audiences.length === 0) throw invalidArgument("audiences must not be empty");
  for (const audience of options.audiences) checkText("audiences", audience);
  return {
    issuer: options.issuer,
    trust: options.trust,
    keys,
    audiences: [...options.audiences],
    dataSources: options.dataSources,
    claimMappers: [...(options.claimMappers ?? [])],
    clients: createClientAuthenticator(options),
    ttlMs: numberOption("ttlMs", {
      given: options.ttlMs,
      fallback: Math.min(300_000, keys.maxTokenTtlMs),
      min: 1_000,
      max: keys.maxTokenTtlMs,
    }),
    timeoutMs: numberOption("timeoutMs", {
      given: options.timeoutMs,
      fallback: 10_000,
      min: 1,
      max: 300_000,
    }),
    now: options.now ?? Date.now,
  };
}
