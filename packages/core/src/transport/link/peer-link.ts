import { randomInt } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { isParsecError, ParsecError } from "../../errors.ts";
import type {
  Peer,
  PeerAnswer,
  PeerCallOptions,
  PeerContact,
  PeerContactAnswer,
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
import { readContact, readTakenOver } from "../wire/applied-outcome.ts";
import { encodeContact } from "../wire/contacts.ts";
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

/** A request with effects on the peer: invalidations, or part of a hand-over. */
export interface ControlFrame {
  readonly kind: "invalidations" | "entries";
  readonly bytes: NodeBuffer;
  /** Time limit of the answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Longest valid answer, in bytes. */
  readonly maxAnswerBytes: number;
  /** Fires when the answer is not needed any more: the caller aborted, or the peer failed its liveness check. */
  readonly signal: AbortSignal | undefined;
}

/** A transport's connection to one peer: the client side that a transport implements. */
export interface PeerChannel {
  /** Sends `frame.bytes` and reports the response through the methods of `frame`, never before `send` has returned. */
  readonly send: FrameChannel["send"];
  /** Sends a control frame and resolves with the answer. Rejects with a `ParsecError`, such as `TIMEOUT` after `timeoutMs`. */
  control(frame: ControlFrame): Promise<Uint8Array>;
  /** Sends the cancellation of lookups of the open frame `frameId`. Best effort, without an answer. */
  cancel(cancellation: { readonly frameId: number; readonly bytes: NodeBuffer }): void;
  /** Pings the peer, on another connection than the lookups. */
  readonly ping: PeerPing;
  /**
   * Connections fell silent while the peer answers pings, or the peer counts as dead: what is sent next must use new
   * connections. What is open stays on the old ones. Without it, silent frames wait for their time limit.
   */
  renew?(): void;
  /** The error for every call while this node itself cannot send, such as without a connection to the message server. Does not count as a failure of the peer. */
  refusal?(): ParsecError | undefined;
  /** Frees the connections. Called once, when no lookup is in flight any more. */
  close(): void | Promise<void>;
}

/** Options of {@link createPeerLink}, with defaults filled in: see `resolvePeerOptions` and `resolvePeerLimits`. */
export interface PeerLinkOptions {
  readonly peerId: string;
  readonly channel: PeerChannel;
  readonly clock: Clock;
  readonly random: () => number;
  /** Random integer below 2^53 that identifies this process. */
  readonly sender: number;
  /** Limits of frames of lookups. */
  readonly limits: FrameLimits;
  /** Limits of control frames, if they differ from those of lookups. Defaults to `limits`. */
  readonly controlLimits?: FrameLimits;
  /** Most lookups in one frame. */
  readonly maxLookupsPerFrame: number;
  /** Most lookups that wait to be sent; further ones fail with `OVERLOADED`. */
  readonly maxQueued: number;
  /** Most frames without a first byte of an answer; further lookups gather for the next frame. */
  readonly maxUnheardFrames: number;
  /** Most frames in flight, including those held open by slow origins. At least 3. */
  readonly maxOpenFrames: number;
  readonly health: PeerHealthOptions;
  /** How long `close` waits for lookups in flight, in milliseconds. */
  readonly closeTimeoutMs: number;
  /** Called when the circuit breaker opens or closes. */
  readonly onChange: (change: PeerHealthChange) => void;
}

/** A {@link Peer} over frames: batches lookups and invalidations, enforces deadlines, and fails fast while the circuit breaker is open. */
export interface PeerLink extends Peer {
  handOver(
    part: PeerHandOver,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<number>;
  contact(
    contact: PeerContact,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<PeerContactAnswer | undefined>;
  probe(): void;
  /** Graceful shutdown: accepts no more calls, lets lookups in flight finish for `closeTimeoutMs`, and rejects the rest with `CLOSED`. */
  close(): Promise<void>;
}

/** Creates a peer on a transport's channel: batching, deadlines, circuit breaker, liveness check and hand-over. */
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
        cancelLookups: (frameId, indexes) =>
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
      awaitsAnswer: () => this.#awaitsAnswer,
      unheardSince: () =>
        channel.renew === undefined
          ? Number.POSITIVE_INFINITY
          : Math.min(this.#batcher.unheardSince, this.#invalidations.unansweredSince),
      onAlive: () => this.#repeatOnNewConnections(),
      onDead: (error) => this.#dead(error),
    });
  }

  lookup(lookup: PeerLookup, options?: PeerCallOptions): Promise<PeerAnswer> {
    const refusal = this.#channel.refusal?.() ?? this.#health.down;
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#batcher.lookup(lookup, options?.signal);
  }

  /** Sent even while the circuit breaker is open: the peer may be up, and must not serve the old value. */
  invalidate(
    invalidation: PeerInvalidation,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<void> {
    const timeoutMs = this.#timeoutFor(options.timeoutMs);
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

  /** Does not count for the circuit breaker: an idle peer that is away needs no warning. */
  async contact(
    contact: PeerContact,
    { timeoutMs, signal }: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<PeerContactAnswer | undefined> {
    const refusal = this.#channel.refusal?.() ?? (this.#closed ? this.#closedError() : undefined);
    if (refusal !== undefined) throw refusal;
    const frameId = randomInt(1, 2 ** 32);
    const { sender } = this.#options;
    const bytes = encodeContact({ frameId, sender, contact }, this.#controlLimits);
    const answer = await this.#channel.control({
      kind: "invalidations",
      bytes,
      timeoutMs,
      maxAnswerBytes: controlAnswerBytes(3),
      signal,
    });
    return readContact(answer, frameId);
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

  /** Other errors, such as `OVERLOADED`, show that the peer is up. */
  failed(error: ParsecError): void {
    if (error.code === "PEER_UNREACHABLE") this.#health.failed(error);
  }

  idle(): void {
    if (!this.#awaitsAnswer) this.#liveness.idle();
  }

  get #controlLimits(): FrameLimits {
    return this.#options.controlLimits ?? this.#options.limits;
  }

  get #awaitsAnswer(): boolean {
    return this.#batcher.openFrames > 0 || this.#invalidations.openFrames > 0;
  }

  /** The time limit of a call: while the circuit breaker is open, at most that of a ping. */
  #timeoutFor(timeoutMs: number): number {
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
        timeoutMs: this.#timeoutFor(frame.timeoutMs),
      });
      const outcome = read(answer);
      this.answered();
      return outcome;
    } catch (error) {
      const typed = this.#typed(error);
      // A failure of this node's own connection does not count against the peer.
      if (this.#channel.refusal?.() === undefined) this.failed(typed);
      throw typed;
    }
  }

  /** Maps an unreadable answer to `PEER_UNREACHABLE`. */
  #typed(error: unknown): ParsecError {
    if (isParsecError(error)) {
      const { code } = error;
      if (code !== "MALFORMED_FRAME" && code !== "FRAME_TOO_LARGE") return error;
    }
    const detail = error instanceof Error ? error.message : String(error);
    return new ParsecError("PEER_UNREACHABLE", `${this.id} sent an invalid answer: ${detail}`, {
      cause: error,
    });
  }

  /** The peer is alive, but some of what was sent to it is not heard. */
  #repeatOnNewConnections(): void {
    let isRenewed = false;
    const renew = (): void => {
      if (!isRenewed) this.#channel.renew?.();
      isRenewed = true;
    };
    if (this.#channel.renew === undefined) return;
    this.#batcher.repeatUnheard(renew);
    this.#invalidations.repeatUnanswered(renew);
  }

  #dead(error: ParsecError): void {
    this.#health.markDown(error);
    this.#channel.renew?.();
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
