import type { PeerAnswer, PeerHost, PeerLookup } from "../../peer.ts";
import type { AnswerWriter } from "../wire/answers.ts";
import type { LookupFrame } from "../wire/lookups.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";

/** Answers leave in pieces of about this size, so that a frame of large values is never in memory twice. */
const pieceBytes = 256 * 1024;

/** Where a transport sends the answers to one frame of lookups. */
export interface AnswerSink {
  /** All answers there are, ready at once. Nothing follows. */
  sendAll(bytes: NodeBuffer): void;
  /** Some answers; more follow. Returns false to be spared the next until `ServedFrame.resume` is called. */
  send(bytes: NodeBuffer): boolean;
  /** No answers are left. */
  finish(): void;
}

/** Keeps the frames being served. */
export interface ServedFrameOwner {
  readonly host: PeerHost;
  /** Some of its answers have to wait for an origin. */
  waits(served: FrameInService): void;
  /** All is said, or the asker left. */
  done(served: FrameInService, bytesPerAnswer: number): void;
}

/** A frame of lookups that is being answered, as a transport's server sees it. */
export interface ServedFrame {
  /** The connection has room for the next piece. */
  resume(): void;
  /** The asker is gone: waits for origins end, and no answer is sent. */
  disconnected(): void;
}

/** One frame of lookups on the owner's side, from its arrival to its last answer. */
export class FrameInService implements ServedFrame {
  readonly frame: LookupFrame;
  readonly #owner: ServedFrameOwner;
  readonly #writer: AnswerWriter;
  readonly #sink: AnswerSink;
  /** What ends the wait of each lookup that waits for an origin, by index; undefined while none has. */
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

  /** Whether some answer had to wait for an origin. */
  get waited(): boolean {
    return this.#waiting !== undefined;
  }

  /** Asks the host for everything. */
  start(): void {
    this.#writer.begin(this.frame.frameId);
    this.#ask();
    if (this.#isComplete()) this.#flush();
    // What is in memory goes out at the end of this turn, with all that is loaded by then.
    else this.#scheduleFlush();
  }

  resume(): void {
    if (!this.#paused || this.#done) return;
    this.#paused = false;
    this.#ask();
    this.#flush();
  }

  disconnected(): void {
    if (this.#done) return;
    this.#end();
    if (this.#waiting === undefined) return;
    for (const controller of this.#waiting.values()) controller.abort();
    this.#waiting.clear();
  }

  /** Nobody waits for these lookups any more. */
  forget(indexes: readonly number[]): void {
    for (const index of indexes) this.#waiting?.get(index)?.abort();
  }

  #ask(): void {
    const { lookups } = this.frame;
    const { host } = this.#owner;
    const writer = this.#writer;
    while (this.#next < lookups.length && !this.#paused) {
      const index = this.#next++;
      // Costs next to nothing until the host asks for its signal.
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
