import { abortedError } from "../../abort.ts";
import type { Clock } from "../../clock.ts";
import { isParsecError, ParsecError } from "../../errors.ts";
import type { PeerAnswer, PeerLookup } from "../../peer.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import type { FrameLimits } from "../wire/limits.ts";
import { LookupFrameWriter } from "../wire/lookups.ts";
import { CancelledLookups } from "./cancelled-lookups.ts";
import {
  type FrameChannel,
  type FrameExchange,
  FrameInFlight,
  type FrameOwner,
} from "./frame-in-flight.ts";
import { oldestHeld } from "./held-frames.ts";
import { PendingLookup, PendingQueue } from "./pending-lookups.ts";

/** Shortest interval between checks of the deadlines: a timeout may be this late. */
const sweepStepMs = 5;
/** Time limit for the end of a response whose lookups are all answered. */
const lingerMs = 1000;

/** A frame that is still unheard when the peer has answered this many pings since is sent again. */
const silentPings = 2;

/** Receives events for the circuit breaker (`PeerHealth`) and the `LivenessCheck` of the peer. */
export interface PeerObserver {
  /** A frame was sent. */
  sent(): void;
  /** Bytes arrived from the peer. */
  heard(): void;
  /** A frame was answered in full. */
  answered(): void;
  /** An exchange failed. */
  failed(error: ParsecError): void;
  /** No frame is in flight any more, and the last one was answered. */
  idle(): void;
}

/** Options of {@link LookupBatcher}. */
export interface LookupBatcherOptions {
  readonly peerId: string;
  readonly channel: FrameChannel;
  readonly observer: PeerObserver;
  readonly clock: Clock;
  /** Random integer below 2^53 that identifies this process. */
  readonly sender: number;
  /** Limits of the peer. */
  readonly limits: FrameLimits;
  /** Most lookups in one frame, so that answers to one frame arrive while the next is on its way. */
  readonly maxLookupsPerFrame: number;
  /** Most lookups that wait to be sent; further ones fail with `OVERLOADED`. */
  readonly maxQueued: number;
  /** Most frames without a first byte of an answer; further lookups gather for the next frame. */
  readonly maxUnheardFrames: number;
  /** Most frames in flight, including those held open by slow origins. At least 3. */
  readonly maxOpenFrames: number;
}

/**
 * Batches the lookups for one peer that are issued in the same turn of the event loop into frames, and
 * dispatches the answers in the order they arrive. A single lookup is sent at the end of its turn. Enforces
 * the deadlines and aborts of callers; independent of the transport.
 */
export class LookupBatcher implements FrameOwner {
  readonly #options: LookupBatcherOptions;
  readonly #writer: LookupFrameWriter;
  readonly #flushTask: () => void;
  readonly #open: Set<FrameInFlight> = new Set();
  /** Frames that a newer frame replaces, by the newer one, which carries their lookups. */
  readonly #replaced: Map<FrameInFlight, readonly FrameInFlight[]> = new Map();
  readonly #cancelled: CancelledLookups;
  readonly #queue: PendingQueue = new PendingQueue();
  #unheardCount = 0;
  #flushScheduled = false;
  #nextFrameId = 1;
  #sweepAt = Number.POSITIVE_INFINITY;
  #cancelSweep: (() => void) | undefined = undefined;
  #sweeping = false;
  #closed = false;
  #onEmpty: (() => void) | undefined = undefined;

  constructor(options: LookupBatcherOptions) {
    this.#options = options;
    this.#writer = new LookupFrameWriter(new ByteWriter(4096), options);
    this.#cancelled = new CancelledLookups(options.channel);
    this.#flushTask = () => this.#flush();
  }

  /**
   * Sends a lookup in the next frame. Rejects with the owner's error, or `TIMEOUT`, `ABORTED`,
   * `OVERLOADED`, `CLOSED`, `PEER_UNREACHABLE`, and `KEY_TOO_LARGE` or `FRAME_TOO_LARGE` when no frame can carry it.
   */
  lookup(lookup: PeerLookup, signal: AbortSignal | undefined): Promise<PeerAnswer> {
    if (this.#closed) return Promise.reject(this.#closedError());
    if (signal?.aborted) return Promise.reject(abortedError(signal));
    if (this.#queue.size >= this.#options.maxQueued) {
      const message = `${this.#options.peerId}: ${this.#options.maxQueued} lookups are waiting to be sent (limits.maxQueued)`;
      return Promise.reject(new ParsecError("OVERLOADED", message));
    }
    const deadline = this.#options.clock.now() + lookup.timeoutMs;
    const pending = new PendingLookup(lookup, deadline);
    if (signal !== undefined) pending.watch(signal);
    this.#queue.push(pending);
    if (deadline < this.#sweepAt) this.#scheduleSweep(deadline);
    this.#scheduleFlush();
    return pending.promise;
  }

  /** Number of frames in flight. */
  get openFrames(): number {
    return this.#open.size;
  }

  /** When the oldest frame was sent that may be on a dead connection: nothing came for it. Infinity for none. */
  get unheardSince(): number {
    for (const frame of this.#open) if (this.#mayRepeat(frame)) return frame.sentAt;
    return Number.POSITIVE_INFINITY;
  }

  /**
   * The peer has answered a ping. Owners answer the head of a frame at once, also where its lookups wait for an origin,
   * so a frame without it is on a dead connection. It is sent again, once, after `renew`. Returns how many were.
   */
  repeatUnheard(renew: () => void): number {
    const overdue: FrameInFlight[] = [];
    for (const frame of this.#open) {
      if (this.#mayRepeat(frame) && ++frame.silentPings >= silentPings) overdue.push(frame);
    }
    if (overdue.length > 0) renew();
    for (const frame of overdue) {
      const lookups = frame.pending();
      const again = this.#sendFrom(lookups, 0, lookups.length, true).frame;
      if (again !== undefined) this.#replaced.set(again, [frame]);
    }
    return overdue.length;
  }

  #mayRepeat(frame: FrameInFlight): boolean {
    return !frame.wasHeard && !frame.isRepetition && frame.silentPings < silentPings;
  }

  /** Rejects all lookups, such as when the peer failed its liveness check. */
  rejectAll(error: ParsecError): void {
    const queued = this.#queue.takeAll();
    this.#replaced.clear();
    for (const frame of [...this.#open]) {
      this.#remove(frame);
      frame.cancel();
      frame.rejectAll(error);
    }
    for (const pending of queued) pending.reject(error);
    this.#checkEmpty();
  }

  /** Accepts no more lookups. Resolves when all accepted ones have settled. */
  close(): Promise<void> {
    this.#closed = true;
    return new Promise((resolve) => {
      const before = this.#onEmpty;
      this.#onEmpty = () => {
        before?.();
        resolve();
      };
      this.#checkEmpty();
    });
  }

  #closedError(): ParsecError {
    return new ParsecError("CLOSED", `the connection to ${this.#options.peerId} was closed`);
  }

  #checkEmpty(): void {
    if (this.#onEmpty === undefined || this.#open.size > 0) return;
    this.#queue.dropSettled();
    if (this.#queue.size > 0) return;
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
    const done = this.#onEmpty;
    this.#onEmpty = undefined;
    done();
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    // A single lookup is sent at the end of this turn. While others are in flight, wait for the whole poll
    // phase, because the answers it delivers cause further lookups.
    if (this.#unheardCount === 0) process.nextTick(this.#flushTask);
    else setImmediate(this.#flushTask);
  }

  #flush(): void {
    this.#flushScheduled = false;
    this.#cancelled.send(this.#open);
    const { maxUnheardFrames, maxOpenFrames, maxLookupsPerFrame } = this.#options;
    while (this.#queue.size > 0 && this.#unheardCount < maxUnheardFrames) {
      // Keeps one frame free for consolidation.
      if (this.#open.size >= maxOpenFrames - 1) break;
      this.#queue.take((items, start) => this.#sendFrom(items, start, maxLookupsPerFrame).next);
    }
    this.#consolidate();
    this.#checkEmpty();
  }

  /** Sends one frame with lookups from `start` on. Returns the frame and where the next one starts. */
  #sendFrom(
    lookups: readonly PendingLookup[],
    start: number,
    maxLookups: number,
    isRepetition = false,
  ): { readonly next: number; readonly frame: FrameInFlight | undefined } {
    const writer = this.#writer;
    const now = this.#options.clock.now();
    const frameId = this.#nextFrameId;
    const slots: PendingLookup[] = [];
    let earliestDeadline = Number.POSITIVE_INFINITY;
    let next = start;
    writer.begin(frameId);
    for (; next < lookups.length && slots.length < maxLookups; next++) {
      const pending = lookups[next] as PendingLookup;
      if (pending.settled) continue;
      const remainingMs = pending.deadline - now;
      try {
        if (!writer.add(pending.lookup, Math.max(remainingMs, 1))) break;
      } catch (error) {
        pending.reject(isParsecError(error) ? error : this.#unreachable(error));
        continue;
      }
      slots.push(pending);
      if (pending.deadline < earliestDeadline) earliestDeadline = pending.deadline;
    }
    if (slots.length === 0) return { next, frame: undefined };
    this.#nextFrameId = frameId === 0xffffffff ? 1 : frameId + 1;
    const frame = new FrameInFlight(
      this,
      { frameId, bytes: writer.finish() },
      {
        slots,
        earliestDeadline,
        maxValueBytes: this.#options.limits.maxValueBytes,
        sentAt: now,
        isRepetition,
      },
    );
    this.#open.add(frame);
    this.#unheardCount++;
    this.#options.observer.sent();
    frame.exchange = this.#send(frame);
    return { next, frame };
  }

  #send(frame: FrameInFlight): FrameExchange | undefined {
    try {
      return this.#options.channel.send(frame);
    } catch (error) {
      const failure = isParsecError(error) ? error : this.#unreachable(error);
      process.nextTick(() => frame.fail(failure));
      return undefined;
    }
  }

  #unreachable(cause: unknown): ParsecError {
    const message = `${this.#options.peerId} is unreachable`;
    return new ParsecError("PEER_UNREACHABLE", message, { cause });
  }

  /**
   * Each open frame holds a connection or stream. When slow origins hold most of them, the lookups of the
   * oldest frames are sent again in one frame, whose lookups join the owner's flights. So a hanging data
   * source cannot exhaust the connections to a peer.
   */
  #consolidate(): void {
    if (!this.#isCrowded() || this.#replaced.size > 0) return;
    const held = oldestHeld(this.#open, this.#options.limits);
    if (held === undefined) return;
    const joined = this.#sendFrom(held.lookups, 0, held.lookups.length).frame;
    if (joined !== undefined) this.#replaced.set(joined, held.frames);
  }

  #isCrowded(): boolean {
    return this.#open.size >= Math.floor(this.#options.maxOpenFrames * 0.75);
  }

  #dropReplaced(by: FrameInFlight): void {
    if (this.#replaced.size === 0) return;
    const older = this.#replaced.get(by);
    if (older === undefined) return;
    this.#replaced.delete(by);
    for (const frame of older) {
      if (this.#remove(frame)) frame.cancel();
    }
  }

  heard(frame: FrameInFlight, first: boolean): void {
    this.#options.observer.heard();
    if (!first) return;
    this.#unheardCount--;
    this.#dropReplaced(frame);
    const hasWork = this.#queue.size > 0 || this.#cancelled.size > 0 || this.#isCrowded();
    if (hasWork) this.#scheduleFlush();
  }

  drained(frame: FrameInFlight): void {
    const until = this.#options.clock.now() + lingerMs;
    frame.lingerUntil(until);
    if (until < this.#sweepAt) this.#scheduleSweep(until);
  }

  ended(frame: FrameInFlight, error: ParsecError | undefined): void {
    this.#remove(frame);
    this.#dropReplaced(frame);
    const broken =
      error ?? (frame.waiting > 0 ? this.#unreachable("the answers ended too early") : undefined);
    if (broken === undefined) this.#options.observer.answered();
    else {
      this.#options.observer.failed(broken);
      frame.rejectAll(broken);
    }
    this.#afterFrame(broken === undefined);
  }

  abandoned(frame: FrameInFlight): void {
    if (this.#remove(frame)) frame.cancel();
    this.#dropReplaced(frame);
    this.#afterFrame(false);
  }

  lookupAborted(frame: FrameInFlight, index: number): void {
    // The owner has the same deadlines; it needs to know about early aborts only.
    if (this.#sweeping) return;
    this.#cancelled.add(frame, index);
    this.#scheduleFlush();
  }

  #remove(frame: FrameInFlight): boolean {
    if (!this.#open.delete(frame)) return false;
    if (!frame.wasHeard) this.#unheardCount--;
    return true;
  }

  #afterFrame(answered: boolean): void {
    if (answered && this.#open.size === 0) this.#options.observer.idle();
    if (this.#queue.size > 0) this.#scheduleFlush();
    else this.#checkEmpty();
  }

  #scheduleSweep(at: number): void {
    this.#cancelSweep?.();
    this.#sweepAt = at;
    const delayMs = Math.max(at - this.#options.clock.now(), sweepStepMs);
    this.#cancelSweep = this.#options.clock.schedule(delayMs, () => this.#sweep());
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    this.#sweepAt = Number.POSITIVE_INFINITY;
    // Timers may fire a fraction of a millisecond early.
    const now = this.#options.clock.now() + 1;
    let shared: ParsecError | undefined;
    const late = (): ParsecError => {
      shared ??= new ParsecError("TIMEOUT", `${this.#options.peerId}: lookup timed out`);
      return shared;
    };
    this.#sweeping = true;
    let earliest = this.#queue.expire(now, late);
    for (const frame of [...this.#open]) {
      if (frame.waiting > 0) frame.expire(now, late);
      else if (frame.earliestDeadline <= now) this.#cutOff(frame);
      if (this.#open.has(frame)) earliest = Math.min(earliest, frame.earliestDeadline);
    }
    this.#sweeping = false;
    if (earliest !== Number.POSITIVE_INFINITY) this.#scheduleSweep(earliest);
    this.#checkEmpty();
  }

  /** Ends an exchange whose lookups are answered but whose response does not end, which would be held forever. */
  #cutOff(frame: FrameInFlight): void {
    frame.cancel();
    this.ended(frame, this.#unreachable("the answers did not end"));
  }
}
