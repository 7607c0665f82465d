import { ParsecError } from "@parsec/core";
import { type CryptoKey, errors, type JWTHeaderParameters } from "jose";
import type { WallClock } from "../wall-clock.ts";
import { fetchJwks, type KeyResolver } from "./jwks-fetch.ts";

/** The signing keys of one issuer, refreshed in the background. */
export interface JwksSource {
  /**
   * The keys that may have signed a token with this header: normally one, several when the set has no
   * key ids, none when the issuer has no such key. Rejects with `ORIGIN_FAILED` while no keys have been
   * fetched or they are older than `maxStaleMs`.
   */
  keysFor(header: JWTHeaderParameters): Promise<readonly CryptoKey[]>;
  /** Whether usable keys have been fetched. */
  ready(): boolean;
  close(): void;
}

/** Limits in milliseconds and bytes; see `resolveTrustOptions` for the defaults. */
export interface JwksSourceOptions {
  readonly url: URL;
  /** Keys older than this are refreshed in the background. */
  readonly maxAgeMs: number;
  /** Keys older than this are not used, even when the issuer is down. */
  readonly maxStaleMs: number;
  /** Unknown key ids cause at most one fetch in this time. */
  readonly cooldownMs: number;
  /** Minimum time between a failed fetch and the next one. */
  readonly retryMs: number;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly now: WallClock;
}

interface KeySet {
  readonly resolve: KeyResolver;
  readonly fetchedAtMs: number;
}

/** Maximum number of keys tried for a token when the set has no key ids. */
const maxCandidates = 16;

/**
 * Fetches at once and retries until it has keys, so that a process can start before its identity
 * provider. Does not throw when the provider is unavailable.
 */
export function createJwksSource(options: JwksSourceOptions): JwksSource {
  const { now } = options;
  const closing = new AbortController();
  let current: KeySet | undefined;
  let fetching: Promise<void> | undefined;
  let lastAttemptMs = Number.NEGATIVE_INFINITY;
  let lastFailure: unknown;
  let retryTimer: NodeJS.Timeout | undefined;

  const refresh = (): Promise<void> => {
    fetching ??= load().finally(() => {
      fetching = undefined;
    });
    return fetching;
  };

  const load = async (): Promise<void> => {
    lastAttemptMs = now();
    clearTimeout(retryTimer);
    try {
      const { timeoutMs, maxBytes } = options;
      const resolve = await fetchJwks(options.url, { timeoutMs, maxBytes, signal: closing.signal });
      current = { resolve, fetchedAtMs: now() };
      lastFailure = undefined;
    } catch (reason) {
      lastFailure = reason;
      if (current === undefined && !closing.signal.aborted) {
        retryTimer = setTimeout(() => void refresh(), options.retryMs);
        retryTimer.unref();
      }
    }
  };

  // Absolute, so that a wall clock set back does not stop the fetches.
  const elapsedSince = (thenMs: number): number => Math.abs(now() - thenMs);

  const usable = async (): Promise<KeySet> => {
    if (current === undefined || elapsedSince(current.fetchedAtMs) > options.maxStaleMs) {
      if (fetching !== undefined || elapsedSince(lastAttemptMs) >= options.retryMs) await refresh();
    } else if (
      elapsedSince(current.fetchedAtMs) > options.maxAgeMs &&
      elapsedSince(lastAttemptMs) >= options.retryMs
    ) {
      void refresh();
    }
    if (current === undefined || elapsedSince(current.fetchedAtMs) > options.maxStaleMs) {
      throw unreachable();
    }
    return current;
  };

  const unreachable = (): ParsecError => {
    const message = `${options.url.origin}: signing keys are unavailable`;
    return new ParsecError("ORIGIN_FAILED", message, { cause: lastFailure });
  };

  void refresh();

  return {
    async keysFor(header) {
      const set = await usable();
      const keys = await candidates(set.resolve, header);
      if (keys.length > 0) return keys;
      // The issuer may have rotated its keys: fetch again, once per cooldown for any number of key ids.
      if (fetching !== undefined || elapsedSince(lastAttemptMs) >= options.cooldownMs) {
        await refresh();
      }
      const found = await candidates((current ?? set).resolve, header);
      if (found.length === 0 && lastFailure !== undefined) throw unreachable();
      return found;
    },
    ready: () => current !== undefined && elapsedSince(current.fetchedAtMs) <= options.maxStaleMs,
    close() {
      clearTimeout(retryTimer);
      closing.abort();
    },
  };
}

async function candidates(
  resolve: KeyResolver,
  header: JWTHeaderParameters,
): Promise<readonly CryptoKey[]> {
  try {
    return [await resolve(header)];
  } catch (reason) {
    if (reason instanceof errors.JWKSMultipleMatchingKeys) {
      const keys: CryptoKey[] = [];
      for await (const key of reason) {
        keys.push(key);
        if (keys.length === maxCandidates) break;
      }
      return keys;
    }
    // A key that cannot be imported counts as missing; the rest of the set still works.
    return [];
  }
}
