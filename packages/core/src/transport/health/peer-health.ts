import type { Clock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";
import { knownOptions, rangeOption, wholeOption } from "../../option-checks.ts";
import { type PeerPing, pingWithin } from "./peer-ping.ts";

/** Options of the circuit breaker and the liveness check of a peer. Times in milliseconds. */
export interface PeerHealthOptions {
  /** Consecutive failures that open the circuit. Defaults to 3. */
  readonly failures: number;
  /** Backoff before the first ping of an open circuit; it doubles with each further ping. Defaults to 200. */
  readonly minBackoffMs: number;
  /** Longest backoff between two pings. Defaults to 10,000. */
  readonly maxBackoffMs: number;
  /** Time limit of a ping. Defaults to 1,000. */
  readonly pingTimeoutMs: number;
  /** Liveness check: a peer that sends nothing for this long while an answer is awaited is pinged. Defaults to 1,000. */
  readonly silenceMs: number;
}

const hourMs = 3_600_000;

/** Checks a transport's `health` option and fills in defaults. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolvePeerHealth(given: Partial<PeerHealthOptions>): PeerHealthOptions {
  knownOptions("health", given, {
    failures: 1,
    minBackoffMs: 1,
    maxBackoffMs: 1,
    pingTimeoutMs: 1,
    silenceMs: 1,
  });
  const minBackoffMs = rangeOption("health.minBackoffMs", given.minBackoffMs, [200, 1, hourMs]);
  return {
    failures: wholeOption("health.failures", given.failures, [3, 1, 1_000_000]),
    minBackoffMs,
    maxBackoffMs: rangeOption("health.maxBackoffMs", given.maxBackoffMs, [
      Math.max(10_000, minBackoffMs),
      minBackoffMs,
      24 * hourMs,
    ]),
    pingTimeoutMs: rangeOption("health.pingTimeoutMs", given.pingTimeoutMs, [1000, 1, hourMs]),
    silenceMs: rangeOption("health.silenceMs", given.silenceMs, [1000, 1, hourMs]),
  };
}

/** A change of a circuit breaker: it opened (`down`, with the error that opened it) or closed (`up`). */
export interface PeerHealthChange {
  readonly peerId: string;
  readonly state: "down" | "up";
  readonly error: ParsecError | undefined;
}

/**
 * Circuit breaker for one peer. It opens after several consecutive failures: calls then fail at once
 * instead of waiting. While it is open, the peer is pinged with backoff; the first answer closes it.
 */
export interface PeerHealth {
  /** The error that calls get while the circuit is open; undefined while it is closed. */
  readonly down: ParsecError | undefined;
  /** Counts an answer, which closes the circuit. */
  succeeded(): void;
  /** Counts a failure. */
  failed(error: ParsecError): void;
  /** Opens the circuit without counting, such as when a liveness check failed. */
  markDown(cause: ParsecError): void;
  /** While the circuit is open, pings the peer now instead of after the backoff, such as when it was heard elsewhere. */
  probe(): void;
  close(): void;
}

/** Creates a circuit breaker in the closed state. `ping` probes the peer; `onChange` is called when the circuit opens or closes. */
export function createPeerHealth(peerId: string, options: PeerHealthParts): PeerHealth {
  return new CircuitBreaker(peerId, options);
}

type PeerHealthParts = Pick<
  PeerHealthOptions,
  "failures" | "minBackoffMs" | "maxBackoffMs" | "pingTimeoutMs"
> & {
  readonly clock: Clock;
  readonly random: () => number;
  readonly ping: PeerPing;
  readonly onChange: (change: PeerHealthChange) => void;
};

class CircuitBreaker implements PeerHealth {
  readonly #peerId: string;
  readonly #options: PeerHealthParts;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #ping: PeerPing;
  readonly #onChange: (change: PeerHealthChange) => void;
  readonly #closing: AbortController = new AbortController();
  #failuresInARow = 0;
  #down: ParsecError | undefined = undefined;
  #probes = 0;
  #cancelProbe: (() => void) | undefined = undefined;

  constructor(peerId: string, options: PeerHealthParts) {
    this.#peerId = peerId;
    this.#options = options;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#ping = options.ping;
    this.#onChange = options.onChange;
  }

  get down(): ParsecError | undefined {
    return this.#down;
  }

  succeeded(): void {
    this.#failuresInARow = 0;
    if (this.#down !== undefined) this.#markUp();
  }

  failed(error: ParsecError): void {
    this.#failuresInARow++;
    if (this.#failuresInARow >= this.#options.failures) this.markDown(error);
  }

  markDown(cause: ParsecError): void {
    if (this.#down !== undefined || this.#closing.signal.aborted) return;
    const message = `${this.#peerId} is down until it answers a ping: ${cause.message}`;
    this.#down = new ParsecError("PEER_UNREACHABLE", message, { cause });
    this.#probes = 0;
    this.#scheduleProbe();
    this.#onChange({ peerId: this.#peerId, state: "down", error: cause });
  }

  probe(): void {
    // No ping is scheduled while one is in flight or the circuit is closed.
    if (this.#cancelProbe === undefined) return;
    this.#cancelProbe();
    this.#probe();
  }

  close(): void {
    this.#closing.abort();
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
  }

  #markUp(): void {
    this.#down = undefined;
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
    this.#onChange({ peerId: this.#peerId, state: "up", error: undefined });
  }

  #scheduleProbe(): void {
    const { minBackoffMs, maxBackoffMs } = this.#options;
    const backoffMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** this.#probes);
    // Half of the backoff is random, so that nodes that lost a peer together do not ping it together.
    const delayMs = backoffMs * (0.5 + 0.5 * this.#random());
    this.#probes++;
    this.#cancelProbe = this.#clock.schedule(delayMs, () => this.#probe());
  }

  #probe(): void {
    this.#cancelProbe = undefined;
    const { pingTimeoutMs } = this.#options;
    const signal = this.#closing.signal;
    pingWithin(this.#ping, { clock: this.#clock, timeoutMs: pingTimeoutMs, signal }).then(
      () => {
        if (!signal.aborted) this.succeeded();
      },
      () => {
        if (this.#down !== undefined && !signal.aborted) this.#scheduleProbe();
      },
    );
  }
}
