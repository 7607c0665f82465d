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

/** How far apart the looks at the deadlines are at least: a rejection may come this much late. */
const sweepStepMs = 5;
/** How long an exchange may go on when all its lookups are answered. */
const lingerMs = 1000;

/** Told about the peer's conduct; see `PeerHealth` and `SilenceWatch`. */
export interface PeerObserver {
  /** A frame was sent. */
  sent(): void;
  /** Something came from the peer. */
  heard(): void;
  /** A frame was answered in full. */
  answered(): void;
  /** An exchange failed on the way. */
  failed(error: ParsecError): void;
  /** No frame is under way any more, and the last one was answered. */
  idle(): void;
}

export interface LookupBatcherOptions {
  readonly peerId: string;
  readonly channel: FrameChannel;
  readonly observer: PeerObserver;
  readonly clock: Clock;
  /** Random integer below 2^53 that names this node since its start. */
  readonly sender: number;
  /** What the peer accepts. */
  readonly limits: FrameLimits;
  /** Lookups that leave together, so that answers to the first come while the next are on their way. */
  readonly maxLookupsPerFrame: number;
  /** Lookups that may wait for a frame to send them; beyond it `OVERLOADED`. */
  readonly maxQueued: number;
  /** Frames sent and not yet heard about; while there are as many, the next one fills up. */
  readonly maxUnheardFrames: number;
  /** Frames that may be open at once, counting those which wait for slow origins only. At least 3. */
  readonly maxOpenFrames: number;
}

/**
 * Gathers the lookups for one peer that are issued in the same turn of the event loop into frames,
 * and hands out the answers in whatever order they come. A lone lookup goes out at the end of the
 * turn. Owns the callers' deadlines and aborts; knows nothing of any transport.
 */
export class LookupBatcher implements FrameOwner {
  readonly #options: LookupBatcherOptions;
  readonly #writer: LookupFrameWriter;
  readonly #flushTask: () => void;
  readonly #open: Set<FrameInFlight> = new Set();
  /** Frames whose lookups were sent again in the frame they are listed under. */
  readonly #replaced: Map<FrameInFlight, readonly FrameInFlight[]> = new Map();
  readonly #forgotten: CancelledLookups;
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
    this.#forgotten = new CancelledLookups(options.channel);
    this.#flushTask = () => this.#flush();
  }

  /**
   * Sends a lookup with the next frame. Rejects with the owner's error, or `TIMEOUT`, `ABORTED`,
   * `OVERLOADED`, `CLOSED`, `PEER_UNREACHABLE`, and `KEY_TOO_LARGE` or `FRAME_TOO_LARGE` when no frame can carry it.
   */
  lookup(lookup: PeerLookup, signal: AbortSignal | undefined): Promise<PeerAnswer> {
    if (this.#closed) return Promise.reject(this.#closedError());
    if (signal?.aborted) return Promise.reject(abortedError(signal));
    if (this.#queue.size >= this.#options.maxQueued) {
      const message = `${this.#options.maxQueued} lookups wait to be sent to ${this.#options.peerId}`;
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

  /** Frames whose answers are awaited. */
  get openFrames(): number {
    return this.#open.size;
  }

  /** Rejects everything that waits, such as when the peer was found dead. */
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

  /** Accepts nothing more; resolves when all that was accepted has settled. */
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
    // Alone, a lookup leaves at the end of this turn. While others are under way, the whole poll
    // phase is waited for, because the answers it brings make callers ask again.
    if (this.#unheardCount === 0) process.nextTick(this.#flushTask);
    else setImmediate(this.#flushTask);
  }

  #flush(): void {
    this.#flushScheduled = false;
    this.#forgotten.send(this.#open);
    const { maxUnheardFrames, maxOpenFrames, maxLookupsPerFrame } = this.#options;
    while (this.#queue.size > 0 && this.#unheardCount < maxUnheardFrames) {
      // One place is left free for those that wait together.
      if (this.#open.size >= maxOpenFrames - 1) break;
      this.#queue.take((items, start) => this.#sendFrom(items, start, maxLookupsPerFrame).next);
    }
    this.#consolidate();
    this.#checkEmpty();
  }

  /** Sends one frame of the lookups from `start` on and says where the next one starts. */
  #sendFrom(
    lookups: readonly PendingLookup[],
    start: number,
    maxLookups: number,
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
      { slots, earliestDeadline, maxValueBytes: this.#options.limits.maxValueBytes },
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
    const message = `${this.#options.peerId} could not be asked`;
    return new ParsecError("PEER_UNREACHABLE", message, { cause });
  }

  /**
   * Each open frame holds a connection. When nearly all of them only wait for slow origins, the
   * lookups of the oldest are asked once more in one frame: the owner joins them to the loads it has
   * under way, and a source that hangs cannot use up the way to its peer.
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
    const hasWork = this.#queue.size > 0 || this.#forgotten.size > 0 || this.#isCrowded();
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

  gaveUp(frame: FrameInFlight, index: number): void {
    // An owner runs the same deadlines; only a caller that left early is news to it.
    if (this.#sweeping) return;
    this.#forgotten.add(frame, index);
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
    // A timer may be a fraction of a millisecond early.
    const now = this.#options.clock.now() + 1;
    let shared: ParsecError | undefined;
    const late = (): ParsecError => {
      shared ??= new ParsecError("TIMEOUT", `${this.#options.peerId} did not answer in time`);
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

  /** Ends an exchange that has nothing left to bring and does not end: it would be held for ever. */
  #cutOff(frame: FrameInFlight): void {
    frame.cancel();
    this.ended(frame, this.#unreachable("the answers did not end"));
  }
}
