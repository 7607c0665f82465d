import { randomInt } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { isParsecError, ParsecError } from "../../errors.ts";
import type {
  Peer,
  PeerAnswer,
  PeerCallOptions,
  PeerHandOver,
  PeerInvalidation,
  PeerLookup,
} from "../../peer.ts";
import { createLivenessCheck, type LivenessCheck } from "../health/liveness-check.ts";
import {
  createPeerHealth,
  type PeerHealth,
  type PeerHealthChange,
  type PeerHealthOptions,
} from "../health/peer-health.ts";
import type { PeerPing } from "../health/peer-ping.ts";
import { readTakenOver } from "../wire/applied-outcome.ts";
import { encodeEntries } from "../wire/entries.ts";
import { encodeCancellation } from "../wire/invalidations.ts";
import type { FrameLimits } from "../wire/limits.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";
import type { FrameChannel } from "./frame-in-flight.ts";
import {
  controlAnswerBytes,
  InvalidationBatcher,
  type SendInvalidations,
} from "./invalidation-batcher.ts";
import { LookupBatcher, type PeerObserver } from "./lookup-batcher.ts";

/** A request that the peer has to apply: invalidations, or part of a hand-over. */
export interface ControlFrame {
  readonly kind: "invalidations" | "entries";
  readonly bytes: NodeBuffer;
  /** How long to wait for the answer. */
  readonly timeoutMs: number;
  /** A valid answer is not longer than this. */
  readonly maxAnswerBytes: number;
  /** Fires when the answer is not needed any more: the caller left, or the peer was found dead. */
  readonly signal: AbortSignal | undefined;
}

/** A transport's way to one peer: what an author of a transport writes for the asking side. */
export interface PeerChannel {
  /** Sends a frame of lookups and passes on what comes back; see {@link FrameChannel.send}. */
  readonly send: FrameChannel["send"];
  /** Sends a frame that the peer has to apply, and resolves with its answer. Rejects with a `ParsecError`; in time, with `TIMEOUT`. */
  control(frame: ControlFrame): Promise<Uint8Array>;
  /** Tells the peer that lookups of the open frame `frameId` are cancelled. Best effort, no answer. */
  cancel(cancellation: { readonly frameId: number; readonly bytes: NodeBuffer }): void;
  /** Asks for a sign of life, on another connection than the lookups. */
  readonly ping: PeerPing;
  /** The error of every call for as long as the peer cannot be asked for a reason that is not its own, such as a lost connection to a message server. */
  refusal?(): ParsecError | undefined;
  /** Frees the connections. Called once, when no lookup is under way any more. */
  close(): void | Promise<void>;
}

/** Options of {@link createPeerLink}. All limits are complete: nothing is optional here. */
export interface PeerLinkOptions {
  readonly peerId: string;
  readonly channel: PeerChannel;
  readonly clock: Clock;
  readonly random: () => number;
  /** Random integer below 2^53 that names this node since its start. */
  readonly sender: number;
  readonly limits: FrameLimits;
  /** Limits of control frames, where the channel carries larger ones than for lookups. Defaults to `limits`. */
  readonly controlLimits?: FrameLimits;
  readonly maxLookupsPerFrame: number;
  readonly maxQueued: number;
  readonly maxUnheardFrames: number;
  readonly maxOpenFrames: number;
  readonly health: PeerHealthOptions;
  /** How long `close` waits for lookups under way. */
  readonly closeTimeoutMs: number;
  readonly onChange: (change: PeerHealthChange) => void;
}

/** A peer over frames: batches lookups and invalidations, keeps deadlines, and fails fast while the peer is down. */
export interface PeerLink extends Peer {
  handOver(
    part: PeerHandOver,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<number>;
  probe(): void;
  /** Accepts no more calls, lets lookups under way finish for `closeTimeoutMs`, and rejects the rest with `CLOSED`. */
  close(): Promise<void>;
}

/** Everything between `Peer` and a transport's channel, the same for all transports. */
export function createPeerLink(options: PeerLinkOptions): PeerLink {
  return new FrameLink(options);
}

class FrameLink implements PeerLink, PeerObserver {
  readonly id: string;
  readonly #options: PeerLinkOptions;
  readonly #channel: PeerChannel;
  readonly #batcher: LookupBatcher;
  readonly #invalidations: InvalidationBatcher;
  readonly #health: PeerHealth;
  readonly #liveness: LivenessCheck;
  #closed = false;

  constructor(options: PeerLinkOptions) {
    const { peerId, channel, sender, clock, random, onChange } = options;
    this.id = peerId;
    this.#options = options;
    this.#channel = channel;
    this.#batcher = new LookupBatcher({
      ...options,
      channel: {
        send: (frame) => channel.send(frame),
        forget: (frameId, indexes) =>
          channel.cancel({
            frameId,
            bytes: encodeCancellation({ frameId, sender, indexes }),
          }),
      },
      observer: this,
    });
    this.#invalidations = new InvalidationBatcher({
      ...options,
      limits: this.#controlLimits,
      send: (frame, read) => this.#invalidateAll(frame, read),
    });
    const ping: PeerPing = (signal) => channel.ping(signal);
    this.#health = createPeerHealth(peerId, { ...options.health, clock, random, ping, onChange });
    this.#liveness = createLivenessCheck({
      ...options.health,
      clock,
      ping,
      owes: () => this.#owes,
      onDead: (error) => this.#dead(error),
    });
  }

  lookup(lookup: PeerLookup, options?: PeerCallOptions): Promise<PeerAnswer> {
    const refusal = this.#channel.refusal?.() ?? this.#health.down;
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#batcher.lookup(lookup, options?.signal);
  }

  /** Tried even while the peer is down: it may be back, and must then not serve what is old. */
  invalidate(
    invalidation: PeerInvalidation,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<void> {
    const timeoutMs = this.#patience(options.timeoutMs);
    return this.#invalidations.invalidate(invalidation, { ...options, timeoutMs });
  }

  async handOver(
    part: PeerHandOver,
    { timeoutMs, signal }: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<number> {
    const frameId = randomInt(1, 2 ** 32);
    const { sender } = this.#options;
    const bytes = encodeEntries({ frameId, sender, part }, this.#controlLimits);
    return await this.#control(
      { kind: "entries", bytes, timeoutMs, maxAnswerBytes: controlAnswerBytes(1), signal },
      (answer) => readTakenOver(answer, frameId),
    );
  }

  probe(): void {
    this.#health.probe();
  }

  sent(): void {
    this.#liveness.sent();
  }

  heard(): void {
    this.#liveness.heard();
  }

  answered(): void {
    this.#health.succeeded();
  }

  /** A peer that answers `OVERLOADED` is up all the same. */
  failed(error: ParsecError): void {
    if (error.code === "PEER_UNREACHABLE") this.#health.failed(error);
  }

  idle(): void {
    if (!this.#owes) this.#liveness.idle();
  }

  get #controlLimits(): FrameLimits {
    return this.#options.controlLimits ?? this.#options.limits;
  }

  get #owes(): boolean {
    return this.#batcher.openFrames > 0 || this.#invalidations.openFrames > 0;
  }

  /** How long to wait: for a peer that is down only as long as for a ping. */
  #patience(timeoutMs: number): number {
    const { pingTimeoutMs } = this.#options.health;
    return this.#health.down === undefined ? timeoutMs : Math.min(timeoutMs, pingTimeoutMs);
  }

  #invalidateAll: SendInvalidations = async (frame, read) => {
    this.#liveness.sent();
    const outcomes = await this.#control({ kind: "invalidations", ...frame }, read);
    this.#liveness.heard();
    const isLast = this.#batcher.openFrames === 0 && this.#invalidations.openFrames === 1;
    if (isLast) this.#liveness.idle();
    return outcomes;
  };

  async #control<Outcome>(
    frame: ControlFrame,
    read: (answer: Uint8Array) => Outcome,
  ): Promise<Outcome> {
    const refusal = this.#channel.refusal?.() ?? (this.#closed ? this.#closedError() : undefined);
    if (refusal !== undefined) throw refusal;
    try {
      const answer = await this.#channel.control({
        ...frame,
        timeoutMs: this.#patience(frame.timeoutMs),
      });
      const outcome = read(answer);
      this.answered();
      return outcome;
    } catch (error) {
      const typed = this.#typed(error);
      // A way that broke on this side says nothing about the peer.
      if (this.#channel.refusal?.() === undefined) this.failed(typed);
      throw typed;
    }
  }

  /** An answer that cannot be read is the peer's fault, and as good as none. */
  #typed(error: unknown): ParsecError {
    if (isParsecError(error)) {
      const { code } = error;
      if (code !== "MALFORMED_FRAME" && code !== "FRAME_TOO_LARGE") return error;
    }
    const detail = error instanceof Error ? error.message : String(error);
    return new ParsecError(
      "PEER_UNREACHABLE",
      `${this.id} cannot be asked: its answer cannot be read: ${detail}`,
      { cause: error },
    );
  }

  #dead(error: ParsecError): void {
    this.#health.markDown(error);
    const message = `${this.id}: ${error.message}`;
    const unreachable = new ParsecError("PEER_UNREACHABLE", message, { cause: error });
    this.#batcher.rejectAll(unreachable);
    this.#invalidations.rejectAll(unreachable);
  }

  #closedError(): ParsecError {
    return new ParsecError("CLOSED", `the connection to ${this.id} was closed`);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const { clock, closeTimeoutMs } = this.#options;
    const drained = this.#batcher.close();
    const cancelTimer = clock.schedule(closeTimeoutMs, () => {
      this.#batcher.rejectAll(this.#closedError());
    });
    await drained;
    cancelTimer();
    this.#health.close();
    this.#liveness.close();
    await this.#channel.close();
  }
}
