import type { IncomingMessage } from "node:http";
import { type Clock, ParsecError } from "@parsec/core";

/** A request's body, or why there is none. Not called at all when the asker left. */
export type BodyCallback = (error: ParsecError | undefined, body: Buffer) => void;

const noBytes: Buffer = Buffer.alloc(0);

/** Reads bodies of limited size within a limited time: one coarse timer watches over all of them. */
export class BodyReaders {
  readonly #maxBytes: number;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #onLeft: () => void;
  readonly #reading: Set<BodyReader> = new Set();
  #cancelTimer: (() => void) | undefined = undefined;

  constructor(options: {
    readonly maxBytes: number;
    readonly timeoutMs: number;
    readonly clock: Clock;
    /** An asker left before its body was complete. */
    readonly onLeft: () => void;
  }) {
    this.#maxBytes = options.maxBytes;
    this.#timeoutMs = options.timeoutMs;
    this.#clock = options.clock;
    this.#onLeft = options.onLeft;
  }

  /** Bodies that are not complete yet. */
  get count(): number {
    return this.#reading.size;
  }

  /**
   * Reads one of which so many bytes are announced, NaN when they are not. Fails with `FRAME_TOO_LARGE`, `TIMEOUT`, or `INVALID_ARGUMENT` when somebody (a body
   * parser before the handler) has read it already.
   */
  read(request: IncomingMessage, announced: number, callback: BodyCallback): void {
    if (announced > this.#maxBytes) {
      callback(tooLarge(this.#maxBytes), noBytes);
      return;
    }
    if (request.readableDidRead || request.readableEnded) {
      const message =
        "the request's body was read before the peers' handler got it; mount the handler before any body parser";
      callback(new ParsecError("INVALID_ARGUMENT", message), noBytes);
      return;
    }
    new BodyReader(request, {
      announced,
      maxBytes: this.#maxBytes,
      startedAt: this.#clock.now(),
      callback,
      readers: this.#reading,
      onLeft: this.#onLeft,
    });
    if (this.#cancelTimer === undefined) this.#watch();
  }

  /** Gives up all that are not complete. */
  close(error: ParsecError): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (const reader of [...this.#reading]) reader.end(error);
  }

  #watch(): void {
    this.#cancelTimer = this.#clock.schedule(this.#timeoutMs / 4, () => {
      this.#cancelTimer = undefined;
      const latest = this.#clock.now() - this.#timeoutMs;
      for (const reader of [...this.#reading]) {
        if (reader.startedAt <= latest) reader.end(this.#late());
      }
      if (this.#reading.size > 0) this.#watch();
    });
  }

  #late(): ParsecError {
    return new ParsecError("TIMEOUT", `the body did not arrive within ${this.#timeoutMs} ms`);
  }
}

/** One body on its way. Its listeners are never taken off: they go with the request, and taking them off costs more. */
class BodyReader {
  readonly startedAt: number;
  readonly #announced: number;
  readonly #maxBytes: number;
  readonly #callback: BodyCallback;
  readonly #readers: Set<BodyReader>;
  #first: Buffer | undefined = undefined;
  #rest: Buffer[] | undefined = undefined;
  #bytes = 0;
  #done = false;

  constructor(
    request: IncomingMessage,
    options: {
      /** NaN when the request does not say. */
      readonly announced: number;
      readonly maxBytes: number;
      readonly startedAt: number;
      readonly callback: BodyCallback;
      readonly readers: Set<BodyReader>;
      readonly onLeft: () => void;
    },
  ) {
    this.#announced = options.announced;
    this.#maxBytes = options.maxBytes;
    this.startedAt = options.startedAt;
    this.#callback = options.callback;
    this.#readers = options.readers;
    this.#readers.add(this);
    request.on("data", (chunk: Buffer) => this.#add(chunk));
    request.on("end", () => this.end(undefined));
    // An asker that leaves is no error as long as nobody listens for one.
    request.on("close", () => {
      if (this.#finish()) options.onLeft();
    });
  }

  #add(chunk: Buffer): void {
    if (this.#done) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) {
      this.end(tooLarge(this.#maxBytes));
      return;
    }
    if (this.#first === undefined) this.#first = chunk;
    else {
      this.#rest ??= [this.#first];
      this.#rest.push(chunk);
    }
    // The end as such comes a turn later and says nothing new.
    if (this.#bytes === this.#announced) this.end(undefined);
  }

  end(error: ParsecError | undefined): void {
    if (!this.#finish()) return;
    const whole = this.#rest === undefined ? this.#first : Buffer.concat(this.#rest, this.#bytes);
    this.#callback(error, error === undefined ? (whole ?? noBytes) : noBytes);
  }

  /** False when it was finished before. */
  #finish(): boolean {
    if (this.#done) return false;
    this.#done = true;
    this.#readers.delete(this);
    return true;
  }
}

function tooLarge(maxBytes: number): ParsecError {
  return new ParsecError(
    "FRAME_TOO_LARGE",
    `the body is larger than limits.maxFrameBytes (${maxBytes})`,
  );
}
