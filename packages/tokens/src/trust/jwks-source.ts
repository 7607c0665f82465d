import type { CryptoKey, JWTHeaderParameters } from "jose";
import type { WallClock } from "../wall-clock.ts";
import { createFetchBudget } from "./fetch-budget.ts";
import { discoverJwksUrl } from "./jwks-discovery.ts";
import { createKeyResolver, type KeyResolver } from "./key-set.ts";
import { KeysUnavailableError } from "./keys-unavailable.ts";
import {
  fetchProviderDocument,
  ProviderFetchError,
  type ProviderFetchOptions,
} from "./provider-document.ts";

/** Keys that may have signed a token. */
export interface FoundKeys {
  /** Normally one, several when the set has no key ids, none when the issuer has no such key. */
  readonly keys: readonly CryptoKey[];
  /** Number of the key set that they are from. */
  readonly edition: number;
}

/** The signing keys of one issuer, refreshed in the background. */
export interface JwksSource {
  /**
   * Finds the keys for a token with this header, with one more fetch for an unknown key id. Rejects with
   * `KeysUnavailableError` while there are no keys, or when the id is unknown and the budget for such
   * fetches is spent, so that the issuer may have published it since.
   */
  keysFor(header: JWTHeaderParameters): Promise<FoundKeys>;
  /**
   * The keys of a later set than that of `edition`, for issuers that replace a key under its old id;
   * undefined when there is none. Fetches at most once per cooldown.
   */
  newerKeysFor(header: JWTHeaderParameters, edition: number): Promise<FoundKeys | undefined>;
  /** Whether usable keys have been fetched. */
  ready(): boolean;
  /** Why the last fetch failed, with its URL; undefined when it succeeded or is the first one. */
  failure(): string | undefined;
  close(): void;
}

/** Limits in milliseconds and bytes; see `resolveTrustOptions` for the defaults. */
export interface JwksSourceOptions {
  readonly issuer: string;
  /** Undefined to find the URL by discovery. */
  readonly url: URL | undefined;
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
  /** Called when fetches begin to fail, when the reason changes, and with undefined when they succeed again. */
  readonly onFailure: (failure: string | undefined) => void;
}

interface KeySet {
  readonly resolve: KeyResolver;
  readonly fetchedAtMs: number;
  readonly edition: number;
}

/**
 * Fetches at once and retries until it has keys, so that a process can start before its identity
 * provider. Does not throw when the provider is unavailable. See docs/adr/0022-unknown-keys-are-not-wrong-tokens.md.
 */
export function createJwksSource(options: JwksSourceOptions): JwksSource {
  const { issuer, now, maxStaleMs, retryMs } = options;
  const closing = new AbortController();
  const unknownIds = createFetchBudget(options.cooldownMs, now);
  const wrongSignatures = createFetchBudget(options.cooldownMs, now);
  let current: KeySet | undefined;
  let edition = 0;
  let discovered: { readonly url: URL; readonly atMs: number } | undefined;
  let fetching: Promise<void> | undefined;
  let lastAttemptMs = Number.NEGATIVE_INFINITY;
  let failure: { readonly reason: unknown; readonly text: string } | undefined;
  let retryTimer: NodeJS.Timeout | undefined;

  // Absolute, so that a wall clock set back does not stop the fetches.
  const elapsedSince = (thenMs: number): number => Math.abs(now() - thenMs);
  const isUsable = (set: KeySet | undefined): set is KeySet =>
    set !== undefined && elapsedSince(set.fetchedAtMs) <= maxStaleMs;
  const mayRetry = (): boolean => elapsedSince(lastAttemptMs) >= retryMs;

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
      const resolve = await fetchKeys();
      edition += 1;
      current = { resolve, fetchedAtMs: now(), edition };
      report(undefined);
    } catch (reason) {
      if (closing.signal.aborted) return;
      report(reason);
      if (current === undefined) {
        retryTimer = setTimeout(() => void refresh(), retryMs);
        retryTimer.unref();
      }
    }
  };

  const fetchKeys = async (): Promise<KeyResolver> => {
    const { timeoutMs, maxBytes } = options;
    const limits = { timeoutMs, maxBytes, signal: closing.signal };
    const url = options.url ?? (await locate(limits));
    const document = await fetchProviderDocument(url, limits);
    try {
      return createKeyResolver(document);
    } catch (cause) {
      throw new ProviderFetchError(url, { reason: "not a JSON Web Key Set", cause });
    }
  };

  /** Discovers again after a failure, because the keys may have moved; meanwhile the known URL remains. */
  const locate = async (limits: ProviderFetchOptions): Promise<URL> => {
    const isFresh = discovered !== undefined && elapsedSince(discovered.atMs) <= options.maxAgeMs;
    if (discovered !== undefined && isFresh && failure === undefined) return discovered.url;
    try {
      const url = await discoverJwksUrl(issuer, limits);
      discovered = { url, atMs: now() };
      return url;
    } catch (reason) {
      if (discovered === undefined) throw reason;
      return discovered.url;
    }
  };

  const report = (reason: unknown): void => {
    const before = failure?.text;
    failure = reason === undefined ? undefined : { reason, text: textOf(reason) };
    if (failure?.text !== before) options.onFailure(failure?.text);
  };

  const unavailable = (why: string, retryAfterMs: number): KeysUnavailableError =>
    new KeysUnavailableError(`${issuer}: ${why}`, { retryAfterMs, cause: failure?.reason });

  const usable = async (): Promise<KeySet> => {
    if (!isUsable(current)) {
      if (fetching !== undefined || mayRetry()) await refresh();
    } else if (elapsedSince(current.fetchedAtMs) > options.maxAgeMs && mayRetry()) {
      void refresh();
    }
    if (!isUsable(current)) throw unavailable("signing keys are unavailable", retryMs);
    return current;
  };

  const find = async (header: JWTHeaderParameters, set: KeySet): Promise<FoundKeys> => ({
    keys: await set.resolve(header),
    edition: set.edition,
  });

  void refresh();

  return {
    async keysFor(header) {
      const set = await usable();
      let found = await find(header, set);
      if (found.keys.length > 0) return found;
      if (fetching !== undefined) {
        // This fetch may have begun before the key was published: it can find the key, but not rule it out.
        await refresh();
        found = await find(header, current ?? set);
        if (found.keys.length > 0) return found;
      }
      if (failure === undefined ? !unknownIds.take() : !mayRetry()) {
        const waitMs = failure === undefined ? unknownIds.waitMs() : retryMs;
        throw unavailable("signing key is unknown, and keys were fetched a moment ago", waitMs);
      }
      await refresh();
      if (failure !== undefined) throw unavailable("signing keys are unavailable", retryMs);
      return find(header, current ?? set);
    },
    async newerKeysFor(header, before) {
      if (current?.edition === before && wrongSignatures.take()) await refresh();
      return current === undefined || current.edition === before
        ? undefined
        : find(header, current);
    },
    ready: () => isUsable(current),
    failure: () => failure?.text,
    close() {
      clearTimeout(retryTimer);
      closing.abort();
    },
  };
}

function textOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
