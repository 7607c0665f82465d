import { ParsecError } from "@parsec/core";
import { type CryptoKey, errors, type JWTHeaderParameters } from "jose";
import type { WallClock } from "../wall-clock.ts";
import { fetchJwks, type KeyResolver } from "./jwks-fetch.ts";

/** The signing keys of one issuer, kept fresh. */
export interface JwksSource {
  /**
   * The keys that may have signed a token with this header: one as a rule, several when the set
   * names none, none when the issuer has no such key. Rejects with `ORIGIN_FAILED` while the keys
   * have never been fetched or are too old to be trusted.
   */
  keysFor(header: JWTHeaderParameters): Promise<readonly CryptoKey[]>;
  /** Whether there are keys to verify with. */
  ready(): boolean;
  close(): void;
}

/** All limits are in milliseconds or bytes; see `resolveTrustOptions` for the defaults. */
export interface JwksSourceOptions {
  readonly url: URL;
  /** Older keys are refreshed in the background. */
  readonly maxAgeMs: number;
  /** Older keys are not used at all, however long the issuer stays silent. */
  readonly maxStaleMs: number;
  /** An unknown key id causes at most one fetch in this time. */
  readonly cooldownMs: number;
  /** After a failed fetch, the next is tried no sooner. */
  readonly retryMs: number;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly now: WallClock;
}

interface KeySet {
  readonly resolve: KeyResolver;
  readonly fetchedAtMs: number;
}

/** A set without key ids makes every key a candidate; no honest issuer has more than this. */
const maxCandidates = 16;

/**
 * Starts fetching at once and keeps trying until it has keys, so that a process can start before
 * its identity provider does. Never throws for a provider that is away.
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

  // A wall clock that was set back must not silence the source, hence the absolute value.
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
    const message = `the signing keys at ${options.url.origin} cannot be fetched`;
    return new ParsecError("ORIGIN_FAILED", message, { cause: lastFailure });
  };

  void refresh();

  return {
    async keysFor(header) {
      const set = await usable();
      const keys = await candidates(set.resolve, header);
      if (keys.length > 0) return keys;
      // The issuer may have rotated; ask again, but a storm of made-up key ids costs one fetch.
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
    // A key that cannot be imported is as good as none; the rest of the set still works.
    return [];
  }
}
