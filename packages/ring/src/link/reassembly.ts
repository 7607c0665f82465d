import type { Clock } from "@parsec/core";
import { type LinkItem, readPiece } from "./link-frame.ts";

interface Partial {
  readonly bytes: Buffer;
  received: number;
  readonly beganAtMs: number;
}

const longestMs = 30_000;

/** Reassembles messages that were sent in pieces. Pieces arrive in order or not at all; incomplete messages are dropped. */
export class Reassembly {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #maxTotalBytes: number;
  readonly #open: Map<string, Partial> = new Map();
  #heldBytes = 0;

  constructor(options: {
    readonly clock: Clock;
    /** Limit of one message. */
    readonly maxBytes: number;
    /** Limit of all incomplete messages together. */
    readonly maxTotalBytes: number;
  }) {
    this.#clock = options.clock;
    this.#maxBytes = options.maxBytes;
    this.#maxTotalBytes = options.maxTotalBytes;
  }

  /** Takes a piece; returns the whole message when it was the last one. Throws `MALFORMED_FRAME`. */
  take(from: string, item: LinkItem): Uint8Array | undefined {
    const key = `${item.type} ${item.number} ${from}`;
    const { offset, total, bytes } = readPiece(item);
    let partial = this.#open.get(key);
    if (offset === 0) {
      if (partial !== undefined) this.#drop(key, partial);
      this.#forgetOld();
      if (total > this.#maxBytes || this.#heldBytes + total > this.#maxTotalBytes) return undefined;
      partial = { bytes: Buffer.allocUnsafe(total), received: 0, beganAtMs: this.#clock.now() };
      this.#open.set(key, partial);
      this.#heldBytes += total;
    }
    if (partial === undefined) return undefined;
    if (partial.received !== offset || partial.bytes.length !== total) {
      this.#drop(key, partial);
      return undefined;
    }
    partial.bytes.set(bytes, offset);
    partial.received += bytes.length;
    if (partial.received < total) return undefined;
    this.#drop(key, partial);
    return partial.bytes;
  }

  #drop(key: string, partial: Partial): void {
    this.#open.delete(key);
    this.#heldBytes -= partial.bytes.length;
  }

  #forgetOld(): void {
    const before = this.#clock.now() - longestMs;
    for (const [key, partial] of this.#open) {
      if (partial.beganAtMs < before) this.#drop(key, partial);
    }
  }
}
