import type { Clock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";
import { rangeOption, wholeOption } from "../../option-checks.ts";
import { type PeerPing, pingWithin } from "./peer-ping.ts";

/** When a peer counts as down, and how it is tried again. All times in milliseconds. */
export interface PeerHealthOptions {
  /** Failures in a row that open the circuit. Defaults to 3. */
  readonly failures: number;
  /** The first probe follows after about this long; the wait doubles with each further one. Defaults to 200. */
  readonly minBackoffMs: number;
  /** The longest wait between two probes. Defaults to 10,000. */
  readonly maxBackoffMs: number;
  /** How long a ping may take. Defaults to 1,000. */
  readonly pingTimeoutMs: number;
  /** A peer that owes answers and sends nothing for this long is pinged. Defaults to 1,000. */
  readonly silenceMs: number;
}

const hourMs = 3_600_000;

/** Completes a transport's `health` option. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolvePeerHealth(given: Partial<PeerHealthOptions>): PeerHealthOptions {
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

/** The circuit of a peer opened (`down`, with the error that opened it) or closed (`up`). */
export interface PeerHealthChange {
  readonly peerId: string;
  readonly state: "down" | "up";
  readonly error: ParsecError | undefined;
}

/**
 * Circuit breaker for one peer. It opens after a few failures in a row: calls then fail at once
 * instead of waiting. While it is open the peer is pinged with backoff; the first answer closes it.
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
  /** Pings a peer that is down now instead of when its backoff ends, such as when it was heard elsewhere. */
  probe(): void;
  close(): void;
}

/** A circuit breaker. `ping` asks the peer for a sign of life; `onChange` hears of every change. */
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
    // None is scheduled while one is under way, or when there is none to be.
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
    // Half of it is random, so that nodes that lost a peer together do not return to it together.
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
