import type { ParsecError } from "../../errors.ts";
import type { PeerAnswer } from "../../peer.ts";
import { AnswerReader, type AnswerReceiver } from "../wire/answer-reader.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";
import { errorFromOwner } from "./owner-error.ts";
import type { LookupSlots, PendingLookup } from "./pending-lookups.ts";

/** A transport's side of one frame: the request under way. */
export interface FrameExchange {
  /** Nobody waits for an answer any more: free what the exchange holds. Nothing is reported after this. */
  cancel(): void;
}

/** A frame of lookups as a transport sees it: the bytes to send, and where to bring what comes back. */
export interface OutgoingFrame {
  readonly frameId: number;
  readonly bytes: NodeBuffer;
  /** How many lookups it carries. */
  readonly count: number;
  /** Whether the peer has begun to answer. Before, a frame may be sent a second time. */
  readonly wasHeard: boolean;
  /** The peer has begun to answer, such as by the head of its response. */
  heard(): void;
  /**
   * Bytes of answers came, cut anywhere. Throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE`, after which
   * the transport ends the exchange by {@link fail}.
   */
  receive(chunk: Uint8Array): void;
  /** All answers have come. Throws `MALFORMED_FRAME` when they end inside one. */
  finish(): void;
  /** No more answers will come: rejects what still waits, and counts against the peer. */
  fail(error: ParsecError): void;
  /** Rejects what still waits without counting against the peer, such as when this node lost its own connection. */
  rejectAll(error: ParsecError): void;
}

/** How a transport carries frames of lookups to one peer. */
export interface FrameChannel {
  /** Sends `frame.bytes` and brings back what comes by the methods of `frame`, not before it has returned. */
  send(frame: OutgoingFrame): FrameExchange;
  /**
   * Tells the peer that nobody waits for these lookups of an open frame any more. Best effort:
   * the peer then loads in vain, which harms nobody.
   */
  forget(frameId: number, indexes: readonly number[]): void;
}

/** Told what becomes of a frame. */
export interface FrameOwner {
  /** Something came from the peer; `first` says that it is the first about this frame. */
  heard(frame: FrameInFlight, first: boolean): void;
  /** All lookups are settled, and yet the exchange goes on. */
  drained(frame: FrameInFlight): void;
  /** The exchange is over; `error` says that it failed. */
  ended(frame: FrameInFlight, error: ParsecError | undefined): void;
  /** The last lookup that waited was settled by something else than this frame's answers. */
  abandoned(frame: FrameInFlight): void;
  /** The caller of one lookup left; others still wait. */
  gaveUp(frame: FrameInFlight, index: number): void;
}

/** A frame of lookups whose answers are awaited: what a transport holds while it exchanges one. */
export class FrameInFlight implements OutgoingFrame, AnswerReceiver, LookupSlots {
  readonly frameId: number;
  readonly bytes: NodeBuffer;
  readonly count: number;
  readonly #owner: FrameOwner;
  readonly #slots: (PendingLookup | undefined)[];
  readonly #reader: AnswerReader;
  #waiting: number;
  #earliestDeadline: number;
  #heard = false;
  #ended = false;
  #reading = false;
  /** Set by the batcher once the transport has the frame. */
  exchange: FrameExchange | undefined = undefined;

  constructor(
    owner: FrameOwner,
    frame: { readonly frameId: number; readonly bytes: NodeBuffer },
    contents: {
      readonly slots: PendingLookup[];
      readonly earliestDeadline: number;
      readonly maxValueBytes: number;
    },
  ) {
    this.#owner = owner;
    this.frameId = frame.frameId;
    this.bytes = frame.bytes;
    this.#slots = contents.slots;
    this.count = contents.slots.length;
    this.#waiting = contents.slots.length;
    this.#earliestDeadline = contents.earliestDeadline;
    this.#reader = new AnswerReader(this, contents);
    for (let index = 0; index < contents.slots.length; index++) {
      (contents.slots[index] as PendingLookup).placeIn(this, index);
    }
  }

  /** How many of its lookups wait. */
  get waiting(): number {
    return this.#waiting;
  }

  get wasHeard(): boolean {
    return this.#heard;
  }

  /** When something about it falls due. */
  get earliestDeadline(): number {
    return this.#earliestDeadline;
  }

  heard(): void {
    if (this.#ended) return;
    const first = !this.#heard;
    this.#heard = true;
    this.#owner.heard(this, first);
  }

  receive(chunk: Uint8Array): void {
    if (this.#ended) return;
    this.heard();
    this.#reading = true;
    try {
      this.#reader.push(chunk);
    } finally {
      this.#reading = false;
    }
    if (this.#waiting === 0) this.#owner.drained(this);
  }

  /** Sets when a frame that waits for nothing but its end is looked at again. */
  lingerUntil(time: number): void {
    if (this.#earliestDeadline > time) this.#earliestDeadline = time;
  }

  finish(): void {
    if (this.#ended) return;
    this.#reader.end();
    this.#end(undefined);
  }

  fail(error: ParsecError): void {
    if (this.#ended) return;
    this.#end(error);
  }

  #end(error: ParsecError | undefined): void {
    this.#ended = true;
    this.#owner.ended(this, error);
  }

  /** Stops waiting without a word to the lookups, which wait elsewhere by now. */
  cancel(): void {
    this.#ended = true;
    this.exchange?.cancel();
  }

  /** The lookups that still wait. */
  pending(): PendingLookup[] {
    return this.#slots.filter((slot) => slot !== undefined && !slot.settled) as PendingLookup[];
  }

  rejectAll(error: ParsecError): void {
    for (const pending of this.pending()) pending.reject(error);
  }

  /** Rejects what is due by `now` and recalculates the earliest deadline. */
  expire(now: number, error: () => ParsecError): void {
    if (this.#earliestDeadline > now) return;
    let earliest = Number.POSITIVE_INFINITY;
    for (const pending of this.pending()) {
      if (pending.deadline <= now) pending.reject(error());
      else earliest = Math.min(earliest, pending.deadline);
    }
    this.#earliestDeadline = earliest;
  }

  answered(index: number, answer: PeerAnswer): void {
    this.#take(index)?.resolve(answer);
  }

  failed(index: number, error: ParsecError): void {
    this.#take(index)?.reject(errorFromOwner(error));
  }

  applied(): void {
    // Only invalidations are applied; an answer of that kind here leaves its lookup waiting.
  }

  #take(index: number): PendingLookup | undefined {
    const pending = this.#slots[index];
    if (pending === undefined) return undefined;
    this.#slots[index] = undefined;
    this.#waiting--;
    return pending;
  }

  vacate(index: number): void {
    if (this.#take(index) === undefined || this.#ended) return;
    if (this.#waiting > 0) this.#owner.gaveUp(this, index);
    else if (!this.#reading) this.#owner.abandoned(this);
  }
}
