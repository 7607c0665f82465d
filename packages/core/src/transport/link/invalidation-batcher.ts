import { randomInt } from "node:crypto";
import { abortedError } from "../../abort.ts";
import type { Clock } from "../../clock.ts";
import { isParsecError, ParsecError } from "../../errors.ts";
import type { PeerCallOptions, PeerInvalidation } from "../../peer.ts";
import { readAppliedEach } from "../wire/applied-outcome.ts";
import { encodeInvalidations } from "../wire/invalidations.ts";
import { frameHeaderBytes, maxMessageBytes } from "../wire/layout.ts";
import type { FrameLimits } from "../wire/limits.ts";

/** As many error messages may come back at once, which is what the asker has to have room for. */
const maxPerFrame = 64;
/** The next frame leaves while the one before is being answered; the third fills up. */
const maxFrames = 2;

/** An answer's head and the longest message. */
const longestAnswerBytes = 6 + maxMessageBytes;

/** A valid answer to a frame of `count` invalidations, or parts of a hand-over, is not longer than this. */
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

/** Carries a frame to the peer and brings back what `read` makes of the answer. Rejects with a `ParsecError`; in time, with `TIMEOUT`. */
export type SendInvalidations = (
  frame: OutgoingInvalidations,
  read: (answer: Uint8Array) => readonly (ParsecError | undefined)[],
) => Promise<readonly (ParsecError | undefined)[]>;

export interface InvalidationBatcherOptions {
  readonly peerId: string;
  /** Random integer below 2^53 that names this node since its start. */
  readonly sender: number;
  /** What the peer accepts. */
  readonly limits: FrameLimits;
  readonly clock: Clock;
  readonly send: SendInvalidations;
}

interface Waiting {
  readonly invalidation: PeerInvalidation;
  readonly deadline: number;
  readonly cancelTimer: () => void;
  /** Settles once; what comes later is ignored. */
  readonly settle: (error: ParsecError | undefined) => void;
  settled: boolean;
}

interface FrameUnderWay {
  readonly batch: readonly Waiting[];
  readonly ending: AbortController;
}

/**
 * Gathers invalidations for one peer: those of one turn of the event loop, and those that come while
 * two frames are under way. A lone one leaves at the end of its turn. Each caller has its own time
 * limit and may give up; the frame goes on, because applying it does no harm.
 */
export class InvalidationBatcher {
  readonly #options: InvalidationBatcherOptions;
  #queue: Waiting[] = [];
  readonly #underWay: Set<FrameUnderWay> = new Set();
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
      const leave = (): void => waiting.settle(abortedError(signal));
      const cancelTimer = clock.schedule(timeoutMs, () => {
        waiting.settle(
          new ParsecError("TIMEOUT", `${peerId} did not answer within ${timeoutMs} ms`),
        );
      });
      const waiting: Waiting = {
        invalidation,
        deadline: clock.now() + timeoutMs,
        cancelTimer,
        settled: false,
        settle(error) {
          if (waiting.settled) return;
          waiting.settled = true;
          cancelTimer();
          signal?.removeEventListener("abort", leave);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#queue.push(waiting);
      this.#flushLater();
    });
  }

  /** Frames whose answers are awaited. */
  get openFrames(): number {
    return this.#underWay.size;
  }

  /** Rejects everything that waits, such as when the peer was found dead. */
  rejectAll(error: ParsecError): void {
    const frames = [...this.#underWay];
    this.#underWay.clear();
    for (const waiting of this.#queue.splice(0)) waiting.settle(error);
    for (const { batch, ending } of frames) {
      for (const waiting of batch) waiting.settle(error);
      ending.abort(error);
    }
  }

  #flushLater(): void {
    if (this.#flushScheduled || this.#underWay.size >= maxFrames) return;
    this.#flushScheduled = true;
    process.nextTick(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    this.#queue = this.#queue.filter(({ settled }) => !settled);
    while (this.#queue.length > 0 && this.#underWay.size < maxFrames) {
      const frame = { batch: this.#nextBatch(), ending: new AbortController() };
      this.#underWay.add(frame);
      void this.#send(frame).finally(() => {
        this.#underWay.delete(frame);
        if (this.#queue.length > 0) this.#flushLater();
      });
    }
  }

  /** As many of the oldest as one frame may carry; one at least. */
  #nextBatch(): Waiting[] {
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

  async #send({ batch, ending }: FrameUnderWay): Promise<void> {
    const { sender, limits, clock, send } = this.#options;
    const frameId = randomInt(1, 2 ** 32);
    const count = batch.length;
    let bytes: Buffer;
    try {
      const invalidations = batch.map(({ invalidation }) => invalidation);
      bytes = encodeInvalidations({ frameId, sender, invalidations }, limits);
    } catch (error) {
      // One that is too large must not take others with it.
      if (count === 1) batch[0]?.settle(typed(error));
      else for (const waiting of batch) await this.#send({ batch: [waiting], ending });
      return;
    }
    const latest = Math.max(...batch.map(({ deadline }) => deadline));
    const timeoutMs = Math.max(1, latest - clock.now());
    // Those who wait longest end with the frame itself: the transport draws its conclusions first.
    for (const { deadline, cancelTimer } of batch) if (deadline === latest) cancelTimer();
    try {
      const maxAnswerBytes = controlAnswerBytes(count);
      const { signal } = ending;
      const outcomes = await send({ bytes, timeoutMs, maxAnswerBytes, signal }, (answer) =>
        readAppliedEach(answer, { frameId, count }),
      );
      for (const [index, waiting] of batch.entries()) waiting.settle(outcomes[index]);
    } catch (error) {
      for (const waiting of batch) waiting.settle(typed(error));
    }
  }
}

function typed(error: unknown): ParsecError {
  return isParsecError(error)
    ? error
    : new ParsecError("PEER_UNREACHABLE", "the peer could not be told", { cause: error });
}
