import type { PeerAnswer, PeerHost, PeerLookup } from "./peer.ts";
import type { AnswerWriter } from "./peer-frame-answers.ts";
import type { LookupFrame } from "./peer-frame-lookups.ts";

/** Answers leave in pieces of about this size, so that a frame of large values is never in memory twice. */
const pieceBytes = 256 * 1024;

/** Where a transport sends the answers to one frame of lookups. */
export interface AnswerSink {
  /** All answers there are, ready at once. Nothing follows. */
  sendAll(bytes: Buffer): void;
  /** Some answers; more follow. Returns false to be spared the next until `ServedFrame.resume` is called. */
  send(bytes: Buffer): boolean;
  /** No answers are left. */
  finish(): void;
}

interface ServedFrameOptions {
  readonly host: PeerHost;
  readonly writer: AnswerWriter;
  readonly sink: AnswerSink;
  /** Some answers have to wait for an origin. */
  readonly onWaiting: () => void;
  /** All is said, or the asker left. */
  readonly onDone: (bytesPerAnswer: number) => void;
}

/** One frame of lookups on the owner's side, from its arrival to its last answer. */
export class ServedFrame {
  readonly #lookups: readonly PeerLookup[];
  readonly #options: ServedFrameOptions;
  /** Of the lookups that wait for an origin, by index. */
  readonly #waiting: Map<number, AbortController> = new Map();
  #next = 0;
  #sentBytes = 0;
  #sentAny = false;
  #paused = false;
  #flushScheduled = false;
  #done = false;

  constructor(frame: LookupFrame, options: ServedFrameOptions) {
    this.#lookups = frame.lookups;
    this.#options = options;
    options.writer.begin(frame.frameId);
  }

  /** Asks the host for everything. */
  start(): void {
    this.#ask();
    if (this.#waiting.size > 0) this.#options.onWaiting();
    if (this.#isComplete()) this.#flush();
    // What is in memory goes out at the end of this turn, with all that is loaded by then.
    else this.#scheduleFlush();
  }

  /** For the transport: there is room for the next piece. */
  resume(): void {
    if (!this.#paused || this.#done) return;
    this.#paused = false;
    this.#ask();
    this.#flush();
  }

  /** For the transport: the asker is gone, and with it the need for any answer. */
  disconnected(): void {
    if (this.#done) return;
    this.#end();
    for (const controller of this.#waiting.values()) controller.abort();
    this.#waiting.clear();
  }

  /** Nobody waits for these lookups any more. */
  forget(indexes: readonly number[]): void {
    for (const index of indexes) this.#waiting.get(index)?.abort();
  }

  #ask(): void {
    const { host, writer } = this.#options;
    while (this.#next < this.#lookups.length && !this.#paused) {
      const index = this.#next++;
      // Costs next to nothing until the host asks for its signal.
      const controller = new AbortController();
      try {
        const answer = host.lookup(this.#lookups[index] as PeerLookup, controller);
        if (answer instanceof Promise) this.#awaitAnswer(index, answer, controller);
        else writer.answered(index, answer);
      } catch (error) {
        writer.failed(index, error);
      }
      if (writer.length >= pieceBytes && this.#next < this.#lookups.length) this.#sendPiece();
    }
  }

  #awaitAnswer(index: number, answer: Promise<PeerAnswer>, controller: AbortController): void {
    this.#waiting.set(index, controller);
    answer.then(
      (value) => {
        if (this.#arrived(index)) this.#options.writer.answered(index, value);
      },
      (error: unknown) => {
        if (this.#arrived(index)) this.#options.writer.failed(index, error);
      },
    );
  }

  #arrived(index: number): boolean {
    this.#waiting.delete(index);
    if (this.#done) return false;
    this.#scheduleFlush();
    return true;
  }

  #isComplete(): boolean {
    return this.#next === this.#lookups.length && this.#waiting.size === 0;
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
    const { sink, writer } = this.#options;
    this.#sentBytes += writer.length;
    const bytes = writer.take(0);
    const first = !this.#sentAny;
    this.#end();
    if (first) sink.sendAll(bytes);
    else {
      if (bytes.length > 0) sink.send(bytes);
      sink.finish();
    }
  }

  #sendPiece(): void {
    const { sink, writer } = this.#options;
    if (writer.length === 0) return;
    this.#sentAny = true;
    this.#sentBytes += writer.length;
    const waiting = this.#lookups.length - this.#next + this.#waiting.size;
    const guess = (waiting + 1) * (this.#sentBytes / this.#lookups.length);
    this.#paused = !sink.send(writer.take(Math.ceil(Math.min(guess, pieceBytes * 2))));
  }

  #end(): void {
    this.#done = true;
    const answers = Math.max(this.#lookups.length, 1);
    this.#options.onDone(Math.ceil((this.#sentBytes / answers) * 1.1));
  }
}
