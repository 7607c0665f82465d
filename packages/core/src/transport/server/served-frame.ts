import type { PeerAnswer, PeerLookup } from "../../peer.ts";
import type { AnswerWriter } from "../wire/answers.ts";
import type { LookupFrame } from "../wire/lookups.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";
import type { ServedHost } from "./served-host.ts";

/** Approximate size of a piece, so that a frame of large values is never in memory twice. */
const pieceBytes = 256 * 1024;

/** The response to one frame of lookups, implemented by a transport. */
export interface AnswerSink {
  /** Sends the complete response. Nothing follows. */
  sendAll(bytes: NodeBuffer): void;
  /** Sends part of the response; more follow. Returns false for back-pressure: the next part follows after `ServedFrame.resume`. */
  send(bytes: NodeBuffer): boolean;
  /** Ends the response. */
  finish(): void;
}

/** Tracks the frames being answered. */
export interface ServedFrameOwner {
  readonly host: ServedHost;
  /** Some of the frame's lookups wait for an origin. */
  waits(served: FrameInService): void;
  /** The response is complete, or the requester is gone. */
  done(served: FrameInService, bytesPerAnswer: number): void;
}

/** A frame of lookups being answered, for a transport's server. */
export interface ServedFrame {
  /** The connection can take the next part, after `send` returned false. */
  resume(): void;
  /** The requester is gone: cancels the remaining lookups and sends nothing more. */
  disconnected(): void;
}

/** One frame of lookups on the server side, from its arrival to its last answer. */
export class FrameInService implements ServedFrame {
  readonly frame: LookupFrame;
  readonly #owner: ServedFrameOwner;
  readonly #writer: AnswerWriter;
  readonly #sink: AnswerSink;
  /** The lookups that wait for an origin, by index; undefined if there were none so far. */
  #waiting: Map<number, AbortController> | undefined = undefined;
  #next = 0;
  #sentBytes = 0;
  #sentAny = false;
  #paused = false;
  #flushScheduled = false;
  #done = false;

  constructor(
    frame: LookupFrame,
    parts: {
      readonly owner: ServedFrameOwner;
      readonly writer: AnswerWriter;
      readonly sink: AnswerSink;
    },
  ) {
    this.frame = frame;
    this.#owner = parts.owner;
    this.#writer = parts.writer;
    this.#sink = parts.sink;
  }

  /** Whether any lookup had to wait for an origin. */
  get waited(): boolean {
    return this.#waiting !== undefined;
  }

  /** Passes all lookups to the host. */
  start(): void {
    this.#writer.begin(this.frame.frameId);
    this.#lookUpAll();
    if (this.#isComplete()) this.#flush();
    // Answers from memory are sent at the end of this turn, with those loaded by then.
    else this.#scheduleFlush();
  }

  resume(): void {
    if (!this.#paused || this.#done) return;
    this.#paused = false;
    this.#lookUpAll();
    this.#flush();
  }

  disconnected(): void {
    if (this.#done) return;
    this.#end();
    if (this.#waiting === undefined) return;
    for (const controller of this.#waiting.values()) controller.abort();
    this.#waiting.clear();
  }

  /** Cancels lookups that no caller waits for any more. */
  cancel(indexes: readonly number[]): void {
    for (const index of indexes) this.#waiting?.get(index)?.abort();
  }

  #lookUpAll(): void {
    const { lookups } = this.frame;
    const { host } = this.#owner;
    const writer = this.#writer;
    while (this.#next < lookups.length && !this.#paused) {
      const index = this.#next++;
      // Cheap until the host reads its signal.
      const controller = new AbortController();
      try {
        const answer = host.lookup(lookups[index] as PeerLookup, controller);
        if (answer instanceof Promise) this.#awaitAnswer(index, answer, controller);
        else writer.answered(index, answer);
      } catch (error) {
        writer.failed(index, error);
      }
      if (writer.length >= pieceBytes && this.#next < lookups.length) this.#sendPiece();
    }
  }

  #awaitAnswer(index: number, answer: Promise<PeerAnswer>, controller: AbortController): void {
    if (this.#waiting === undefined) {
      this.#waiting = new Map();
      this.#owner.waits(this);
    }
    this.#waiting.set(index, controller);
    answer.then(
      (value) => {
        if (this.#arrived(index)) this.#writer.answered(index, value);
      },
      (error: unknown) => {
        if (this.#arrived(index)) this.#writer.failed(index, error);
      },
    );
  }

  #arrived(index: number): boolean {
    this.#waiting?.delete(index);
    if (this.#done) return false;
    this.#scheduleFlush();
    return true;
  }

  #isComplete(): boolean {
    const isWaiting = this.#waiting !== undefined && this.#waiting.size > 0;
    return this.#next === this.frame.lookups.length && !isWaiting;
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#done || this.#paused) return;
    if (!this.#isComplete()) {
      this.#sendPiece();
      return;
    }
    this.#sentBytes += this.#writer.length;
    const bytes = this.#writer.take();
    this.#end();
    if (!this.#sentAny) this.#sink.sendAll(bytes);
    else {
      if (bytes.length > 0) this.#sink.send(bytes);
      this.#sink.finish();
    }
  }

  #sendPiece(): void {
    if (this.#writer.length === 0) return;
    this.#sentAny = true;
    this.#sentBytes += this.#writer.length;
    this.#paused = !this.#sink.send(this.#writer.take());
  }

  #end(): void {
    this.#done = true;
    const answers = Math.max(this.frame.lookups.length, 1);
    this.#owner.done(this, Math.ceil((this.#sentBytes / answers) * 1.1));
  }
}
