import type { Clock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";
import type { PeerHealthOptions } from "./peer-health.ts";
import { type PeerPing, pingWithin } from "./peer-ping.ts";

/**
 * Liveness check: when an unresponsive peer counts as dead. A peer with a slow origin answers pings; a peer
 * that is stopped, hung or cut off does not. Uses one coarse timer, and only while answers are awaited.
 */
export interface LivenessCheck {
  /** A request was sent to the peer. */
  sent(): void;
  /** Bytes arrived from the peer. */
  heard(): void;
  /** No answer is awaited any more. */
  idle(): void;
  close(): void;
}

interface LivenessParts extends Pick<PeerHealthOptions, "silenceMs" | "pingTimeoutMs"> {
  readonly clock: Clock;
  readonly ping: PeerPing;
  /** Whether an answer is still awaited. */
  readonly awaitsAnswer: () => boolean;
  /**
   * When the oldest request was sent to which nothing was answered yet; Infinity for none. Its connection may be dead
   * while others are heard.
   */
  readonly unheardSince?: () => number;
  /** Called when the peer has answered a ping, though nothing else came for `silenceMs`. */
  readonly onAlive?: () => void;
  /** Called when the peer counts as dead, with a `PEER_UNREACHABLE`. */
  readonly onDead: (error: ParsecError) => void;
}

/** Creates a liveness check, which pings after `silenceMs` without a byte and calls `onDead` when the ping fails or takes longer than `pingTimeoutMs`. */
export function createLivenessCheck(options: LivenessParts): LivenessCheck {
  return new PingOnSilence(options);
}

class PingOnSilence implements LivenessCheck {
  readonly #options: LivenessParts;
  readonly #clock: Clock;
  readonly #ping: PeerPing;
  readonly #awaitsAnswer: () => boolean;
  readonly #onDead: (error: ParsecError) => void;
  readonly #closing: AbortController = new AbortController();
  #awaiting = false;
  #lastHeardAt = 0;
  /** When the last ping was answered. */
  #aliveAt = 0;
  #watching = false;
  #cancelTimer: (() => void) | undefined = undefined;

  constructor(options: LivenessParts) {
    this.#options = options;
    this.#clock = options.clock;
    this.#ping = options.ping;
    this.#awaitsAnswer = options.awaitsAnswer;
    this.#onDead = options.onDead;
  }

  sent(): void {
    if (this.#awaiting) return;
    this.#awaiting = true;
    this.#lastHeardAt = this.#clock.now();
    if (!this.#watching) this.#watch();
  }

  heard(): void {
    this.#lastHeardAt = this.#clock.now();
  }

  idle(): void {
    this.#awaiting = false;
  }

  close(): void {
    this.#closing.abort();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #watch(): void {
    this.#watching = true;
    const dueInMs = this.#silentSince() + this.#options.silenceMs - this.#clock.now();
    this.#cancelTimer = this.#clock.schedule(Math.max(dueInMs, 1), () => this.#check());
  }

  #check(): void {
    this.#cancelTimer = undefined;
    this.#watching = false;
    if (!this.#awaiting || this.#closing.signal.aborted) return;
    if (this.#clock.now() < this.#silentSince() + this.#options.silenceMs) {
      this.#watch();
      return;
    }
    this.#watching = true;
    this.#pingOnce();
  }

  #silentSince(): number {
    const unheardSince = this.#options.unheardSince?.() ?? Number.POSITIVE_INFINITY;
    return Math.max(this.#aliveAt, Math.min(this.#lastHeardAt, unheardSince));
  }

  #pingOnce(): void {
    const heardBefore = this.#lastHeardAt;
    const signal = this.#closing.signal;
    const timeoutMs = this.#options.pingTimeoutMs;
    pingWithin(this.#ping, { clock: this.#clock, timeoutMs, signal }).then(
      () => this.#alive(),
      (error: unknown) => {
        // This process itself may have been suspended: read what its sockets have received first.
        setImmediate(() => {
          if (signal.aborted) return;
          if (this.#lastHeardAt !== heardBefore || !this.#awaiting) this.#alive();
          else this.#dead(error);
        });
      },
    );
  }

  #alive(): void {
    this.#watching = false;
    this.#awaiting &&= this.#awaitsAnswer();
    if (this.#closing.signal.aborted || !this.#awaiting) return;
    this.#lastHeardAt = this.#clock.now();
    this.#aliveAt = this.#lastHeardAt;
    this.#options.onAlive?.();
    this.#watch();
  }

  #dead(cause: unknown): void {
    this.#watching = false;
    this.#awaiting = false;
    const message = `no bytes for ${this.#options.silenceMs} ms, and a ping failed`;
    this.#onDead(new ParsecError("PEER_UNREACHABLE", message, { cause }));
  }
}
