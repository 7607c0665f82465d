import type { IncomingMessage } from "node:http";
import { type Clock, ParsecError } from "@parsec/core";

/** Receives the body of a request, or the error. Not called when the client disconnects. */
export type BodyCallback = (error: ParsecError | undefined, body: Buffer) => void;

const noBytes: Buffer = Buffer.alloc(0);

/** Reads request bodies with a size limit and a timeout. One coarse timer serves all bodies. */
export class BodyReaders {
  readonly #maxBytes: number;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #onDisconnect: () => void;
  readonly #reading: Set<BodyReader> = new Set();
  #cancelTimer: (() => void) | undefined = undefined;

  constructor(options: {
    readonly maxBytes: number;
    readonly timeoutMs: number;
    readonly clock: Clock;
    /** Called when a client disconnects before its body is complete. */
    readonly onDisconnect: () => void;
  }) {
    this.#maxBytes = options.maxBytes;
    this.#timeoutMs = options.timeoutMs;
    this.#clock = options.clock;
    this.#onDisconnect = options.onDisconnect;
  }

  /** Number of bodies that are not complete yet. */
  get count(): number {
    return this.#reading.size;
  }

  /**
   * Reads one body. `announced` is its content-length, or NaN. Fails with `FRAME_TOO_LARGE`, `TIMEOUT`,
   * or `INVALID_ARGUMENT` when a body parser in front of the handler has read it already.
   */
  read(request: IncomingMessage, announced: number, callback: BodyCallback): void {
    if (announced > this.#maxBytes) {
      callback(tooLarge(this.#maxBytes), noBytes);
      return;
    }
    if (request.readableDidRead || request.readableEnded) {
      const message =
        "the request body was already read: mount the peers' handler before any body parser";
      callback(new ParsecError("INVALID_ARGUMENT", message), noBytes);
      return;
    }
    new BodyReader(request, {
      announced,
      maxBytes: this.#maxBytes,
      startedAt: this.#clock.now(),
      callback,
      readers: this.#reading,
      onDisconnect: this.#onDisconnect,
    });
    if (this.#cancelTimer === undefined) this.#watch();
  }

  /** Fails all incomplete bodies with this error. */
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
        if (reader.startedAt <= latest) reader.end(this.#timeoutError());
      }
      if (this.#reading.size > 0) this.#watch();
    });
  }

  #timeoutError(): ParsecError {
    return new ParsecError(
      "TIMEOUT",
      `the request body did not arrive within ${this.#timeoutMs} ms`,
    );
  }
}

/** One body being read. Its listeners are not removed: they are freed with the request, and removing them costs time. */
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
      /** The content-length, or NaN. */
      readonly announced: number;
      readonly maxBytes: number;
      readonly startedAt: number;
      readonly callback: BodyCallback;
      readonly readers: Set<BodyReader>;
      readonly onDisconnect: () => void;
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
    // "close" instead of "error": with a listener for "error", Node would emit one for each disconnect.
    request.on("close", () => {
      if (this.#finish()) options.onDisconnect();
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
    // Complete by content-length: "end" would arrive one turn later.
    if (this.#bytes === this.#announced) this.end(undefined);
  }

  end(error: ParsecError | undefined): void {
    if (!this.#finish()) return;
    const whole = this.#rest === undefined ? this.#first : Buffer.concat(this.#rest, this.#bytes);
    this.#callback(error, error === undefined ? (whole ?? noBytes) : noBytes);
  }

  /** False when it was already finished. */
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
    `the request body must have at most ${maxBytes} bytes (limits.maxFrameBytes)`,
  );
}
