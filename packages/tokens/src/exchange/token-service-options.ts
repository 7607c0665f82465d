import { numberOption } from "@parsec/core/authoring";
import type { ClaimMapper } from "../claims/claim-mapper.ts";
import type { KeySource } from "../keys/key-source.ts";
import { checkHttpUrl, checkText, invalidOption } from "../option-checks.ts";
import type { TokenDataSources } from "../sources/token-data-source.ts";
import type { TrustStore } from "../trust/trust-store.ts";
import type { WallClock } from "../wall-clock.ts";
import {
  type ClientAuthenticationOptions,
  type ClientAuthenticator,
  createClientAuthenticator,
} from "./client-authentication.ts";

export interface TokenServiceOptions extends ClientAuthenticationOptions {
  /** The issuer identifier: an http(s) URL without query and fragment. The same on every node. */
  readonly issuer: string;
  /** Decides which subject and actor tokens are believed. The service does not close it. */
  readonly trust: TrustStore;
  /** Signs. The service does not close it. */
  readonly keys: KeySource;
  /** For whom tokens may be issued; the first is the default. */
  readonly audiences: readonly string[];
  /** A core registry with the sources that mappers ask. The service does not close it. */
  readonly dataSources?: TokenDataSources;
  readonly claimMappers?: readonly ClaimMapper[];
  /** Life of a token. Defaults to 300,000; at most the key source's `maxTokenTtlMs`. */
  readonly ttlMs?: number;
  /** What one exchange may take, data sources included. Defaults to 10,000. */
  readonly timeoutMs?: number;
  readonly now?: WallClock;
}

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

/** Fills the defaults in. Throws `INVALID_ARGUMENT` naming the option and its limits. */
export function resolveTokenServiceOptions(
  options: TokenServiceOptions,
): ResolvedTokenServiceOptions {
  const { keys } = options;
  const issuer = checkHttpUrl("issuer", checkText("issuer", options.issuer));
  if (issuer.search !== "" || options.issuer.includes("?") || options.issuer.includes("#")) {
    throw invalidOption("issuer", "must have no query and no fragment");
  }
  if (options.audiences.length === 0) throw invalidOption("audiences", "must name an audience");
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
