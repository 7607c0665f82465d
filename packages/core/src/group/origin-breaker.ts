import type { OriginBreakerSettings, ResolvedPolicy } from "../cache-policy.ts";
import type { Clock } from "../clock.ts";
import { ParsecError, type ParsecErrorCode } from "../errors.ts";

/** The oldest keys are forgotten first, which costs one origin fetch more. */
const maxKeys = 1_024;
/** A timeout is never the fault of a single key, as a missing row may be. */
const timeoutWeight = 4;
/** Longest backoff of a refresh within `staleWhileRevalidateMs`. */
const maxRefreshBackoffMs = 1_000;

/** A key whose fetches fail. */
interface FailedKey {
  readonly failures: number;
  readonly failedAt: number;
  readonly retryAt: number;
  readonly error: ParsecError;
}

/** The group's circuit, while it is open. */
interface OpenCircuit {
  readonly openings: number;
  readonly failedAt: number;
  readonly retryAt: number;
  readonly error: ParsecError;
}

/**
 * Keeps a failing origin from being asked once per caller: a backoff for each key that fails, and a circuit
 * breaker that opens when different keys fail one after the other, and then lets one probe through at a time
 * (ADR 0019).
 */
export class OriginBreaker {
  readonly #name: string;
  readonly #settings: OriginBreakerSettings;
  readonly #refreshBackoffMs: number;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #onChange: (state: "open" | "closed", errorCode: ParsecErrorCode | undefined) => void;
  /** Oldest failure first. */
  readonly #keys: Map<string, FailedKey> = new Map();
  /** Keys that failed since the last success, and their weight. */
  readonly #inRow: Set<string> = new Set();
  #weightInRow = 0;
  #open: OpenCircuit | undefined;
  /** The key whose load is the probe of the open circuit. */
  #probe: string | undefined;

  constructor(parts: {
    readonly name: string;
    readonly policy: ResolvedPolicy;
    readonly clock: Clock;
    readonly random: () => number;
    readonly onChange: (state: "open" | "closed", errorCode: ParsecErrorCode | undefined) => void;
  }) {
    this.#name = parts.name;
    this.#settings = parts.policy.originBreaker;
    this.#refreshBackoffMs = Math.min(
      maxRefreshBackoffMs,
      parts.policy.staleWhileRevalidateMs / 10,
    );
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#onChange = parts.onChange;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Whether the last fetch of the key failed, or the circuit is open: serve stale where possible. */
  isFailing(key: string): boolean {
    return this.#open !== undefined || (this.#keys.size > 0 && this.#keys.has(key));
  }

  /** Whether the origin may be asked for the key now. With an open circuit the load becomes the probe. */
  admits(key: string): boolean {
    if (this.#open === undefined && this.#keys.size === 0) return true;
    const now = this.#clock.now();
    this.#closeWhenOutdated(now);
    const failed = this.#keys.get(key);
    if (failed !== undefined && now < failed.retryAt) return false;
    if (this.#open === undefined) return true;
    if (this.#probe !== undefined || now < this.#open.retryAt) return false;
    this.#probe = key;
    return true;
  }

  /** The error for a load that was not admitted: that of the key's last fetch, else of the origin's. */
  refusal(key: string): ParsecError {
    const failed = this.#keys.get(key);
    const { failedAt, retryAt, error } = failed ?? (this.#open as OpenCircuit);
    const now = this.#clock.now();
    const ago = Math.round(now - failedAt);
    const left = Math.max(0, Math.round(Math.max(retryAt, this.#open?.retryAt ?? 0) - now));
    // The error of another key may say something about that key.
    const what = failed === undefined ? `${this.#name}: the origin is failing` : error.message;
    const when = `the origin failed ${ago} ms ago, and is asked again in ${left} ms`;
    return new ParsecError(error.code, `${what} (${when})`, { cause: error.cause });
  }

  succeeded(key: string): void {
    if (this.#inRow.size === 0 && this.#keys.size === 0) return;
    this.#inRow.clear();
    this.#weightInRow = 0;
    this.#keys.delete(key);
    if (this.#open !== undefined) this.#close();
  }

  /** Counts a failed fetch. `hasStale` where a stale value is served meanwhile, which makes the first failure count. */
  failed(key: string, error: ParsecError, hasStale: boolean): void {
    // The input of this caller, not the origin.
    if (error.code === "INVALID_ARGUMENT") return;
    if (key !== "") this.#failKey(key, error, hasStale);
    if (error.code === "ORIGIN_FAILED" || error.code === "TIMEOUT") this.#failOrigin(key, error);
  }

  /** The load of a key has ended without an answer of the origin, such as by an abort. */
  ended(key: string): void {
    if (this.#probe === key) this.#probe = undefined;
  }

  /** An invalidated key is asked for again: its error is as outdated as its value. */
  forget(key: string): void {
    if (this.#keys.size > 0) this.#keys.delete(key);
  }

  forgetKeys(): void {
    this.#keys.clear();
  }

  #close(): void {
    this.#open = undefined;
    this.#inRow.clear();
    this.#weightInRow = 0;
    // The outage is over for the other keys as well.
    this.#keys.clear();
    this.#onChange("closed", undefined);
  }

  /** After a time without requests nothing is known about the origin, and concurrent callers need not wait for a probe. */
  #closeWhenOutdated(now: number): void {
    if (this.#open === undefined || this.#probe !== undefined) return;
    if (now - this.#open.failedAt > 2 * this.#settings.maxErrorTtlMs) this.#close();
  }

  #failKey(key: string, error: ParsecError, hasStale: boolean): void {
    const { maxErrorTtlMs } = this.#settings;
    const failures = (this.#keys.get(key)?.failures ?? 0) + 1;
    const failedAt = this.#clock.now();
    const retryAt = failedAt + this.#keyBackoffMs(failures, hasStale);
    this.#keys.delete(key);
    this.#keys.set(key, { failures, failedAt, retryAt, error });
    // Errors hold what the user's code put into them, so none stays for long.
    for (const [oldest, { failedAt: at }] of this.#keys) {
      if (this.#keys.size <= maxKeys && failedAt - at <= 2 * maxErrorTtlMs) break;
      this.#keys.delete(oldest);
    }
  }

  #keyBackoffMs(failures: number, hasStale: boolean): number {
    if (hasStale && this.#refreshBackoffMs > 0) return this.#refreshBackoffMs;
    // The first failure may be a lost connection, for which a retry is the remedy.
    const steps = failures - (hasStale ? 1 : 2);
    return steps < 0 ? 0 : this.#backoffMs(steps);
  }

  /** Doubles with each step. Between half of it and all of it, so that nodes do not ask in step. */
  #backoffMs(steps: number): number {
    const { errorTtlMs, maxErrorTtlMs } = this.#settings;
    return Math.min(errorTtlMs * 2 ** steps, maxErrorTtlMs) * (1 - 0.5 * this.#random());
  }

  #failOrigin(key: string, error: ParsecError): void {
    const open = this.#open;
    const failedAt = this.#clock.now();
    if (open !== undefined) {
      // Loads that began before it opened say nothing new.
      if (this.#probe === key) this.#openAgain(open.openings + 1, { failedAt, error });
      return;
    }
    if (this.#inRow.has(key)) return;
    this.#inRow.add(key);
    this.#weightInRow += error.code === "TIMEOUT" ? timeoutWeight : 1;
    if (this.#weightInRow < this.#settings.failures) return;
    this.#openAgain(1, { failedAt, error });
    this.#onChange("open", error.code);
  }

  #openAgain(
    openings: number,
    last: { readonly failedAt: number; readonly error: ParsecError },
  ): void {
    this.#open = { ...last, openings, retryAt: last.failedAt + this.#backoffMs(openings - 1) };
  }
}
