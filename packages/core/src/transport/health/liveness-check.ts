import type { Clock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";
import type { PeerHealthOptions } from "./peer-health.ts";
import { type PeerPing, pingWithin } from "./peer-ping.ts";

/**
 * Liveness check: when an unresponsive peer counts as dead. A peer that is stopped, hung or cut off and
 * one whose origin is slow both owe answers, but only the latter answers a ping. One coarse timer, and
 * only while answers are owed.
 */
export interface LivenessCheck {
  /** A request went to the peer. */
  sent(): void;
  /** Bytes came from the peer. */
  heard(): void;
  /** The peer owes no answer any more. */
  idle(): void;
  close(): void;
}

interface LivenessParts extends Pick<PeerHealthOptions, "silenceMs" | "pingTimeoutMs"> {
  readonly clock: Clock;
  readonly ping: PeerPing;
  /** Whether answers are still owed. */
  readonly owes: () => boolean;
  readonly onDead: (error: ParsecError) => void;
}

/** A liveness check that pings after `silenceMs` without a byte, and calls `onDead` when no answer follows. */
export function createLivenessCheck(options: LivenessParts): LivenessCheck {
  return new PingOnSilence(options);
}

class PingOnSilence implements LivenessCheck {
  readonly #options: LivenessParts;
  readonly #clock: Clock;
  readonly #ping: PeerPing;
  readonly #owes: () => boolean;
  readonly #onDead: (error: ParsecError) => void;
  readonly #closing: AbortController = new AbortController();
  #owing = false;
  #lastSignAt = 0;
  #watching = false;
  #cancelTimer: (() => void) | undefined = undefined;

  constructor(options: LivenessParts) {
    this.#options = options;
    this.#clock = options.clock;
    this.#ping = options.ping;
    this.#owes = options.owes;
    this.#onDead = options.onDead;
  }

  sent(): void {
    if (this.#owing) return;
    this.#owing = true;
    this.#lastSignAt = this.#clock.now();
    if (!this.#watching) this.#watch();
  }

  heard(): void {
    this.#lastSignAt = this.#clock.now();
  }

  idle(): void {
    this.#owing = false;
  }

  close(): void {
    this.#closing.abort();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #watch(): void {
    this.#watching = true;
    const dueInMs = this.#lastSignAt + this.#options.silenceMs - this.#clock.now();
    this.#cancelTimer = this.#clock.schedule(Math.max(dueInMs, 1), () => this.#look());
  }

  #look(): void {
    this.#cancelTimer = undefined;
    this.#watching = false;
    if (!this.#owing || this.#closing.signal.aborted) return;
    if (this.#clock.now() < this.#lastSignAt + this.#options.silenceMs) {
      this.#watch();
      return;
    }
    this.#watching = true;
    this.#pingOnce();
  }

  #pingOnce(): void {
    const lastSignBefore = this.#lastSignAt;
    const signal = this.#closing.signal;
    const timeoutMs = this.#options.pingTimeoutMs;
    pingWithin(this.#ping, { clock: this.#clock, timeoutMs, signal }).then(
      () => this.#alive(),
      (error: unknown) => {
        // This process itself may have stood still: what lies in its sockets is read before judging.
        setImmediate(() => {
          if (signal.aborted) return;
          if (this.#lastSignAt !== lastSignBefore || !this.#owing) this.#alive();
          else this.#dead(error);
        });
      },
    );
  }

  #alive(): void {
    this.#watching = false;
    this.#owing &&= this.#owes();
    if (this.#closing.signal.aborted || !this.#owing) return;
    this.#lastSignAt = this.#clock.now();
    this.#watch();
  }

  #dead(cause: unknown): void {
    this.#watching = false;
    this.#owing = false;
    const message = `no answer for ${this.#options.silenceMs} ms, and none to a ping`;
    this.#onDead(new ParsecError("PEER_UNREACHABLE", message, { cause }));
  }
}
