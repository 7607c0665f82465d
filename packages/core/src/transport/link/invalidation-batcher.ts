import { randomInt } from "node:crypto";
import { abortedError } from "../../abort.ts";
import type { Clock } from "../../clock.ts";
import { isParsecError, ParsecError } from "../../errors.ts";
import type { PeerCallOptions, PeerInvalidation } from "../../peer.ts";
import { readAppliedEach } from "../wire/applied-outcome.ts";
import { encodeInvalidations } from "../wire/invalidations.ts";
import { frameHeaderBytes, maxMessageBytes } from "../wire/layout.ts";
import type { FrameLimits } from "../wire/limits.ts";

/** Limits the size of an answer, which may contain an error message for each invalidation. */
const maxPerFrame = 64;
/** Frames in flight at once; further invalidations gather for the next frame. */
const maxFrames = 2;

/** The header of an answer and the longest message. */
const longestAnswerBytes = 6 + maxMessageBytes;

/** Longest valid answer, in bytes, to a frame of `count` invalidations or parts of a hand-over. */
export function controlAnswerBytes(count: number): number {
  return frameHeaderBytes + count * longestAnswerBytes;
}

/** A frame of invalidations to send; see `ControlFrame`. */
interface OutgoingInvalidations {
  readonly bytes: Buffer;
  readonly timeoutMs: number;
  readonly maxAnswerBytes: number;
  readonly signal: AbortSignal;
}

/** Sends a frame and resolves with the result of `read` for the answer. Rejects with a `ParsecError`, such as `TIMEOUT` after `timeoutMs`. */
export type SendInvalidations = (
  frame: OutgoingInvalidations,
  read: (answer: Uint8Array) => readonly (ParsecError | undefined)[],
) => Promise<readonly (ParsecError | undefined)[]>;

/** Options of {@link InvalidationBatcher}. */
export interface InvalidationBatcherOptions {
  readonly peerId: string;
  /** Random integer below 2^53 that identifies this process. */
  readonly sender: number;
  /** Limits of the peer. */
  readonly limits: FrameLimits;
  readonly clock: Clock;
  readonly send: SendInvalidations;
}

interface QueuedInvalidation {
  readonly invalidation: PeerInvalidation;
  readonly deadline: number;
  readonly cancelTimer: () => void;
  /** Settles once; later calls are ignored. */
  readonly settle: (error: ParsecError | undefined) => void;
  settled: boolean;
}

interface OpenFrame {
  readonly batch: readonly QueuedInvalidation[];
  controller: AbortController;
  /** How many pings the peer has answered since the frame was sent. */
  silentPings: number;
  readonly sentAt: number;
  isRepetition: boolean;
}

/** A frame that is unanswered when the peer has answered this many pings since is sent again. */
const silentPings = 2;

/**
 * Batches the invalidations for one peer: those of one turn of the event loop, and those issued while two
 * frames are in flight. A single one is sent at the end of its turn. Each caller has its own timeout and
 * may abort; the frame continues, because invalidations are idempotent.
 */
export class InvalidationBatcher {
  readonly #options: InvalidationBatcherOptions;
  #queue: QueuedInvalidation[] = [];
  readonly #open: Set<OpenFrame> = new Set();
  #flushScheduled = false;

  constructor(options: InvalidationBatcherOptions) {
    this.#options = options;
  }

  /** Resolves once the peer has applied it. Rejects like `Peer.invalidate`. */
  invalidate(
    invalidation: PeerInvalidation,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<void> {
    const { clock, peerId } = this.#options;
    const { signal, timeoutMs } = options;
    if (signal?.aborted) return Promise.reject(abortedError(signal));
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiting.settle(abortedError(signal));
      const cancelTimer = clock.schedule(timeoutMs, () => {
        waiting.settle(
          new ParsecError("TIMEOUT", `${peerId} did not answer within ${Math.round(timeoutMs)} ms`),
        );
      });
      const waiting: QueuedInvalidation = {
        invalidation,
        deadline: clock.now() + timeoutMs,
        cancelTimer,
        settled: false,
        settle(error) {
          if (waiting.settled) return;
          waiting.settled = true;
          cancelTimer();
          signal?.removeEventListener("abort", onAbort);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#queue.push(waiting);
      this.#flushLater();
    });
  }

  /** Number of frames in flight. */
  get openFrames(): number {
    return this.#open.size;
  }

  /** When the oldest frame was sent that may be on a dead connection. Infinity for none. */
  get unansweredSince(): number {
    for (const { isRepetition, sentAt } of this.#open) if (!isRepetition) return sentAt;
    return Number.POSITIVE_INFINITY;
  }

  /** Rejects all invalidations, such as when the peer failed its liveness check. */
  rejectAll(error: ParsecError): void {
    const frames = [...this.#open];
    this.#open.clear();
    for (const waiting of this.#queue.splice(0)) waiting.settle(error);
    for (const { batch, controller: ending } of frames) {
      for (const waiting of batch) waiting.settle(error);
      ending.abort(error);
    }
  }

  /**
   * The peer has answered a ping. It answers invalidations at once, so one that it has not answered is on a dead
   * connection. Such frames are sent again, once, after `renew`.
   */
  repeatUnanswered(renew: () => void): void {
    const overdue = [...this.#open].filter(
      (frame) => !frame.isRepetition && ++frame.silentPings >= silentPings,
    );
    if (overdue.length > 0) renew();
    for (const frame of overdue) {
      frame.isRepetition = true;
      const before = frame.controller;
      frame.controller = new AbortController();
      before.abort(new ParsecError("PEER_UNREACHABLE", "the connection is dead"));
    }
  }

  #flushLater(): void {
    if (this.#flushScheduled || this.#open.size >= maxFrames) return;
    this.#flushScheduled = true;
    process.nextTick(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    this.#queue = this.#queue.filter(({ settled }) => !settled);
    while (this.#queue.length > 0 && this.#open.size < maxFrames) {
      const frame: OpenFrame = {
        batch: this.#nextBatch(),
        controller: new AbortController(),
        silentPings: 0,
        sentAt: this.#options.clock.now(),
        isRepetition: false,
      };
      this.#open.add(frame);
      void this.#send(frame).finally(() => {
        this.#open.delete(frame);
        if (this.#queue.length > 0) this.#flushLater();
      });
    }
  }

  /** The oldest invalidations, at least one, as many as one frame can carry. */
  #nextBatch(): QueuedInvalidation[] {
    const { maxInvalidationKeys } = this.#options.limits;
    let count = 0;
    let keys = 0;
    for (const { invalidation } of this.#queue) {
      const { target } = invalidation;
      keys += target.kind === "keys" ? target.keys.length : 1;
      if (count > 0 && (count === maxPerFrame || keys > maxInvalidationKeys)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #send(frame: OpenFrame): Promise<void> {
    const { batch, controller } = frame;
    const { sender, limits, clock, send } = this.#options;
    const frameId = randomInt(1, 2 ** 32);
    const count = batch.length;
    let bytes: Buffer;
    try {
      const invalidations = batch.map(({ invalidation }) => invalidation);
      bytes = encodeInvalidations({ frameId, sender, invalidations }, limits);
    } catch (error) {
      // An invalidation that is too large must not fail the others.
      if (count === 1) batch[0]?.settle(typed(error));
      else for (const waiting of batch) await this.#send({ ...frame, batch: [waiting] });
      return;
    }
    const latest = Math.max(...batch.map(({ deadline }) => deadline));
    const timeoutMs = Math.max(1, latest - clock.now());
    // The latest deadlines are left to the frame itself, so that the transport notices the timeout first.
    for (const { deadline, cancelTimer } of batch) if (deadline === latest) cancelTimer();
    try {
      const maxAnswerBytes = controlAnswerBytes(count);
      const { signal } = controller;
      const outcomes = await send({ bytes, timeoutMs, maxAnswerBytes, signal }, (answer) =>
        readAppliedEach(answer, { frameId, count }),
      );
      for (const [index, waiting] of batch.entries()) waiting.settle(outcomes[index]);
    } catch (error) {
      if (frame.controller !== controller) await this.#send(frame);
      else for (const waiting of batch) waiting.settle(typed(error));
    }
  }
}

function typed(error: unknown): ParsecError {
  return isParsecError(error)
    ? error
    : new ParsecError("PEER_UNREACHABLE", "the peer did not apply the invalidation", {
        cause: error,
      });
}
