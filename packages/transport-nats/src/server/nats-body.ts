import { type Clock, ParsecError } from "@parsec/core";
import type { NatsLimits } from "../nats-options.ts";
import { type Message, malformed, totalBytes } from "../nats-wire.ts";

type PartialLimits = Pick<NatsLimits, "maxFrameBytes" | "maxPartialBytes" | "requestTimeoutMs">;

interface PartialRequest {
  readonly session: number;
  readonly bytes: Buffer;
  filled: number;
  nextPiece: number;
  readonly cancelTimer: () => void;
}

/** Reassembles requests that did not fit into one message. Bounded in bytes, which are counted when a request is announced. */
export class PartialRequests {
  readonly #clock: Clock;
  readonly #limits: PartialLimits;
  readonly #partials: Map<string, PartialRequest> = new Map();
  #announcedBytes = 0;

  constructor(clock: Clock, limits: PartialLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  has(reply: string): boolean {
    return this.#partials.has(reply);
  }

  /**
   * Takes a piece of the request whose answer goes to `reply`; returns the request when it is complete. Throws
   * `MALFORMED_FRAME`, `FRAME_TOO_LARGE` or `OVERLOADED`, and drops the request in that case.
   */
  take(reply: string, message: Message): Buffer | undefined {
    if (message.piece === 0 && message.last) return message.body;
    try {
      return this.#take(reply, message);
    } catch (error) {
      this.forget(reply);
      throw error;
    }
  }

  forget(reply: string): void {
    const partial = this.#partials.get(reply);
    if (partial === undefined) return;
    partial.cancelTimer();
    this.#announcedBytes -= partial.bytes.length;
    this.#partials.delete(reply);
  }

  clear(): void {
    for (const reply of [...this.#partials.keys()]) this.forget(reply);
  }

  #take(reply: string, message: Message): Buffer | undefined {
    let part = message.body;
    if (message.piece === 0) {
      this.#begin(reply, message);
      part = part.subarray(totalBytes);
    }
    const partial = this.#partials.get(reply);
    const inOrder = partial?.nextPiece === message.piece && partial.session === message.session;
    if (partial === undefined || !inOrder) {
      throw malformed(`piece ${message.piece} of a request arrived without the pieces before it`);
    }
    const filled = partial.filled + part.length;
    const total = partial.bytes.length;
    if (filled > total || (filled === total) !== message.last) {
      throw malformed(`a request must have the announced length, ${total} bytes`);
    }
    partial.bytes.set(part, partial.filled);
    partial.filled = filled;
    partial.nextPiece++;
    if (!message.last) return undefined;
    this.forget(reply);
    return partial.bytes;
  }

  #begin(reply: string, message: Message): void {
    const { maxFrameBytes, maxPartialBytes, requestTimeoutMs } = this.#limits;
    this.forget(reply);
    if (message.body.length < totalBytes) throw malformed("a request ends inside its length");
    const total = message.body.readUInt32LE(0);
    if (total > maxFrameBytes) {
      throw new ParsecError(
        "FRAME_TOO_LARGE",
        `a request must be at most ${maxFrameBytes} bytes (maxFrameBytes), got ${total}`,
      );
    }
    if (this.#announcedBytes + total > maxPartialBytes) {
      throw new ParsecError(
        "OVERLOADED",
        `incomplete requests use ${this.#announcedBytes} bytes already (maxPartialBytes)`,
      );
    }
    this.#announcedBytes += total;
    const cancelTimer = this.#clock.schedule(requestTimeoutMs, () => this.forget(reply));
    const { session } = message;
    const bytes = Buffer.allocUnsafeSlow(total);
    this.#partials.set(reply, { session, bytes, filled: 0, nextPiece: 0, cancelTimer });
  }
}
