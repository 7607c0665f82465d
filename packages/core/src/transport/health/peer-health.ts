import type { Clock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";
import { type PeerPing, pingWithin } from "./peer-ping.ts";

/** When a peer is left out, and how it is taken back. */
export interface PeerHealthOptions {
  /** Failures in a row after which a peer is left out. Defaults to 3. */
  readonly failures: number;
  /** The first probe comes after about this long; each further one after twice as long. Defaults to 200. */
  readonly minBackoffMs: number;
  /** The longest wait between two probes. Defaults to 10,000. */
  readonly maxBackoffMs: number;
  /** How long a probe may take. Defaults to 1,000. */
  readonly pingTimeoutMs: number;
}

/** A peer was left out (`error` says why) or taken back. */
export interface PeerHealthChange {
  readonly peerId: string;
  readonly state: "out" | "in";
  readonly error: ParsecError | undefined;
}

/**
 * Keeps the account of one peer's conduct: after a few failures in a row it is left out, so that
 * callers learn at once what they would otherwise wait for; it is probed until it answers again.
 */
export class PeerHealth {
  readonly #peerId: string;
  readonly #options: PeerHealthOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #ping: PeerPing;
  readonly #onChange: (change: PeerHealthChange) => void;
  readonly #closing: AbortController = new AbortController();
  #failuresInARow = 0;
  #out: ParsecError | undefined = undefined;
  #probes = 0;
  #cancelProbe: (() => void) | undefined = undefined;

  constructor(
    peerId: string,
    options: PeerHealthOptions & {
      readonly clock: Clock;
      readonly random: () => number;
      readonly ping: PeerPing;
      readonly onChange: (change: PeerHealthChange) => void;
    },
  ) {
    this.#peerId = peerId;
    this.#options = options;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#ping = options.ping;
    this.#onChange = options.onChange;
  }

  /** Why the peer is left out at the moment; undefined while it is asked as usual. */
  get out(): ParsecError | undefined {
    return this.#out;
  }

  succeeded(): void {
    this.#failuresInARow = 0;
    if (this.#out !== undefined) this.#takeBack();
  }

  failed(error: ParsecError): void {
    this.#failuresInARow++;
    if (this.#failuresInARow >= this.#options.failures) this.leaveOut(error);
  }

  /** Leaves the peer out without counting, such as when it was found dead. */
  leaveOut(cause: ParsecError): void {
    if (this.#out !== undefined || this.#closing.signal.aborted) return;
    const message = `${this.#peerId} is left out until it answers again: ${cause.message}`;
    this.#out = new ParsecError("PEER_UNREACHABLE", message, { cause });
    this.#probes = 0;
    this.#scheduleProbe();
    this.#onChange({ peerId: this.#peerId, state: "out", error: cause });
  }

  /** Probes a peer that is left out now, because it may be back, instead of when its time comes. */
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

  #takeBack(): void {
    this.#out = undefined;
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
    this.#onChange({ peerId: this.#peerId, state: "in", error: undefined });
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
        if (this.#out !== undefined && !signal.aborted) this.#scheduleProbe();
      },
    );
  }
}
