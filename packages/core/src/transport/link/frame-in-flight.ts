import type { ParsecError } from "../../errors.ts";
import type { PeerAnswer } from "../../peer.ts";
import { AnswerReader, type AnswerReceiver } from "../wire/answer-reader.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";
import { errorFromOwner } from "./owner-error.ts";
import type { LookupSlots, PendingLookup } from "./pending-lookups.ts";

/** A frame in flight, as returned by a transport's `send`. */
export interface FrameExchange {
  /** No caller waits for an answer any more: frees resources. The transport must report nothing after this. */
  cancel(): void;
}

/** A frame of lookups for a transport to send, with callbacks for the answer. */
export interface OutgoingFrame {
  readonly frameId: number;
  readonly bytes: NodeBuffer;
  /** How many lookups it carries. */
  readonly count: number;
  /** Whether the peer has started to answer. Until then the transport may send the frame again. */
  readonly wasHeard: boolean;
  /** The peer has started to answer, such as with response headers. */
  heard(): void;
  /**
   * Call it with each chunk of the response. Throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE`, after which the
   * transport must end the exchange with {@link fail}.
   */
  receive(chunk: Uint8Array): void;
  /** The response is complete. Throws `MALFORMED_FRAME` when it ends inside an answer. */
  finish(): void;
  /** The exchange failed: rejects the remaining lookups and counts a failure of the peer. */
  fail(error: ParsecError): void;
  /** Rejects the remaining lookups without counting a failure of the peer, such as when this node lost its own connection. */
  rejectAll(error: ParsecError): void;
}

/** Sends frames of lookups to one peer. */
export interface FrameChannel {
  /** Sends `frame.bytes` and reports the response through the methods of `frame`, never before `send` has returned. */
  send(frame: OutgoingFrame): FrameExchange;
  /**
   * Cancels lookups of an open frame at the peer. Best effort: if the cancellation is lost, the peer completes
   * loads that no caller needs.
   */
  cancelLookups(frameId: number, indexes: readonly number[]): void;
}

/** Receives the events of a frame. */
export interface FrameOwner {
  /** Bytes arrived; `first` is true for the first time in this frame. */
  heard(frame: FrameInFlight, first: boolean): void;
  /** All lookups are settled, but the response has not ended. */
  drained(frame: FrameInFlight): void;
  /** The exchange has ended, with an error if it failed. */
  ended(frame: FrameInFlight, error: ParsecError | undefined): void;
  /** The last waiting lookup was settled by an abort, a deadline or another frame. */
  abandoned(frame: FrameInFlight): void;
  /** The caller of one lookup aborted; others still wait. */
  lookupAborted(frame: FrameInFlight, index: number): void;
}

/** A frame of lookups in flight: matches answers to lookups and reports its events to the batcher. */
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
  /** How many pings the peer has answered since the frame was sent, while nothing came for the frame. */
  silentPings = 0;
  /** Whether its lookups were sent before, on a connection that fell silent. */
  readonly isRepetition: boolean;
  readonly sentAt: number;
  /** Set by the batcher once the transport has the frame. */
  exchange: FrameExchange | undefined = undefined;

  constructor(
    owner: FrameOwner,
    frame: { readonly frameId: number; readonly bytes: NodeBuffer },
    contents: {
      readonly slots: PendingLookup[];
      readonly earliestDeadline: number;
      readonly maxValueBytes: number;
      readonly sentAt: number;
      readonly isRepetition: boolean;
    },
  ) {
    this.sentAt = contents.sentAt;
    this.isRepetition = contents.isRepetition;
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

  /** Number of lookups without an answer. */
  get waiting(): number {
    return this.#waiting;
  }

  get wasHeard(): boolean {
    return this.#heard;
  }

  /** The earliest deadline of its lookups, or the limit for the end of its response. */
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

  /** Limits how long a frame without waiting lookups may wait for the end of its response. */
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

  /** Ends the exchange without settling its lookups, which another frame carries by now. */
  cancel(): void {
    this.#ended = true;
    this.exchange?.cancel();
  }

  /** The lookups without an answer. */
  pending(): PendingLookup[] {
    return this.#slots.filter((slot) => slot !== undefined && !slot.settled) as PendingLookup[];
  }

  rejectAll(error: ParsecError): void {
    for (const pending of this.pending()) pending.reject(error);
  }

  /** Rejects lookups whose deadline has passed and recalculates the earliest deadline. */
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
    // Such an answer belongs to invalidations. Here it is ignored; its lookup keeps waiting.
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
    if (this.#waiting > 0) this.#owner.lookupAborted(this, index);
    else if (!this.#reading) this.#owner.abandoned(this);
  }
}
