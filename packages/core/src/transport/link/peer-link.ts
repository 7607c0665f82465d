import type { Clock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";
import type { PeerAnswer, PeerCallOptions, PeerInvalidation, PeerLookup } from "../../peer.ts";
import {
  PeerHealth,
  type PeerHealthChange,
  type PeerHealthOptions,
} from "../health/peer-health.ts";
import type { PeerPing } from "../health/peer-ping.ts";
import { SilenceWatch } from "../health/silence-watch.ts";
import type { FrameLimits } from "../wire/limits.ts";
import type { FrameChannel } from "./frame-in-flight.ts";
import { InvalidationBatcher, type SendInvalidations } from "./invalidation-batcher.ts";
import { LookupBatcher, type PeerObserver } from "./lookup-batcher.ts";

export interface PeerLinkOptions {
  readonly peerId: string;
  /** How frames get there. */
  readonly channel: FrameChannel;
  /** How invalidations get there. It says itself by `answered` and `failed` how that went. */
  readonly tell: SendInvalidations;
  /** A sign of life, on another connection than the frames. */
  readonly ping: PeerPing;
  readonly clock: Clock;
  readonly random: () => number;
  /** Random integer below 2^53 that names this node since its start. */
  readonly sender: number;
  readonly limits: FrameLimits;
  /** The same for invalidations, where the channel for lookups takes less than the peer. */
  readonly tellLimits?: FrameLimits;
  readonly maxLookupsPerFrame: number;
  readonly maxQueued: number;
  readonly maxUnheardFrames: number;
  readonly maxOpenFrames: number;
  readonly health: PeerHealthOptions & { readonly silenceMs: number };
  readonly onChange: (change: PeerHealthChange) => void;
}

/**
 * The way to one peer as every transport needs it: lookups in batches, a peer that fails left out
 * and taken back, a peer that fell silent told from a slow one. The transport brings the channel.
 */
export class PeerLink implements PeerObserver {
  readonly #options: PeerLinkOptions;
  readonly #batcher: LookupBatcher;
  readonly #invalidations: InvalidationBatcher;
  readonly #health: PeerHealth;
  readonly #silence: SilenceWatch;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
    const { clock, random, ping, onChange } = options;
    this.#batcher = new LookupBatcher({ ...options, observer: this });
    this.#invalidations = new InvalidationBatcher({
      ...options,
      limits: options.tellLimits ?? options.limits,
      send: (frame, read) => this.#tell(frame, read),
    });
    this.#health = new PeerHealth(options.peerId, {
      ...options.health,
      clock,
      random,
      ping,
      onChange,
    });
    this.#silence = new SilenceWatch({
      ...options.health,
      clock,
      ping,
      owes: () => this.#owes,
      onDead: (error) => this.#dead(error),
    });
  }

  /** See `Peer.lookup`. Rejects at once while the peer is left out. */
  lookup(lookup: PeerLookup, options: PeerCallOptions | undefined): Promise<PeerAnswer> {
    const out = this.#health.out;
    if (out !== undefined) return Promise.reject(out);
    return this.#batcher.lookup(lookup, options?.signal);
  }

  /**
   * See `Peer.invalidate`. Tried even while the peer is left out, because it may be back, and then it must
   * not serve what is old.
   */
  invalidate(
    invalidation: PeerInvalidation,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<void> {
    const timeoutMs = this.patience(options.timeoutMs);
    return this.#invalidations.invalidate(invalidation, { ...options, timeoutMs });
  }

  /** How long to wait: for a peer that is left out no longer than for a sign of life. */
  patience(timeoutMs: number): number {
    const { pingTimeoutMs } = this.#options.health;
    return this.#health.out === undefined ? timeoutMs : Math.min(timeoutMs, pingTimeoutMs);
  }

  /** Why the peer is left out at the moment; undefined while it is asked as usual. */
  get out(): ParsecError | undefined {
    return this.#health.out;
  }

  /** See `Peer.probe`. */
  probe(): void {
    this.#health.probe();
  }

  sent(): void {
    this.#silence.sent();
  }

  heard(): void {
    this.#silence.heard();
  }

  answered(): void {
    this.#health.succeeded();
  }

  /** A peer that says it is overloaded is there all the same. */
  failed(error: ParsecError): void {
    if (error.code === "PEER_UNREACHABLE") this.#health.failed(error);
  }

  idle(): void {
    if (!this.#owes) this.#silence.idle();
  }

  get #owes(): boolean {
    return this.#batcher.openFrames > 0 || this.#invalidations.openFrames > 0;
  }

  #tell: SendInvalidations = async (frame, read) => {
    this.#silence.sent();
    const outcomes = await this.#options.tell(frame, read);
    this.#silence.heard();
    const isLast = this.#batcher.openFrames === 0 && this.#invalidations.openFrames === 1;
    if (isLast) this.#silence.idle();
    return outcomes;
  };

  #dead(error: ParsecError): void {
    this.#health.leaveOut(error);
    const message = `${this.#options.peerId}: ${error.message}`;
    const unreachable = new ParsecError("PEER_UNREACHABLE", message, { cause: error });
    this.#batcher.rejectAll(unreachable);
    this.#invalidations.rejectAll(unreachable);
  }

  /** Takes no more lookups, waits for those under way for `drainMs` at most, and rejects the rest with `CLOSED`. */
  async close(drainMs: number): Promise<void> {
    const drained = this.#batcher.close();
    const cancelTimer = this.#options.clock.schedule(drainMs, () => {
      this.#batcher.rejectAll(
        new ParsecError("CLOSED", `the connection to ${this.#options.peerId} was closed`),
      );
    });
    await drained;
    cancelTimer();
    this.#health.close();
    this.#silence.close();
  }
}
