import { createHmac, hash, timingSafeEqual } from "node:crypto";

/** Bytes of a MAC that are sent; the rest is truncated. */
export const macBytes = 16;

/** Block size of SHA-256; HMAC pads its key to one block. */
const blockBytes = 64;
const digestBytes = 32;
const counterBytes = 8;
/** For longer messages, copying costs more than `createHmac`. */
const maxCopiedBytes = 2048;

/**
 * HMAC-SHA256 over the sequence number and content of each message, by the key of one direction of a
 * stream. For short messages, the two hashes of RFC 2104 are computed directly: `createHmac` takes
 * three times as long.
 */
export class StreamMac {
  readonly #key: Buffer;
  /** The padded key of the inner hash, followed by space for number and message. */
  readonly #inner: Buffer = Buffer.alloc(blockBytes + counterBytes + maxCopiedBytes, 0x36);
  /** The padded key of the outer hash, followed by space for the inner hash. */
  readonly #outer: Buffer = Buffer.alloc(blockBytes + digestBytes, 0x5c);
  readonly #expected: Buffer = Buffer.alloc(macBytes);
  #next = 0;

  /** `key` has at most 64 bytes. */
  constructor(key: Buffer) {
    this.#key = key;
    for (const [index, byte] of key.entries()) {
      (this.#inner[index] as number) ^= byte;
      (this.#outer[index] as number) ^= byte;
    }
  }

  /** Returns the next message with its MAC appended. */
  append(message: Buffer): Buffer {
    const sealed = Buffer.allocUnsafe(message.length + macBytes);
    sealed.set(message);
    this.#writeNext(message, sealed, message.length);
    return sealed;
  }

  /** Whether `mac` is valid for `message` as the next one. */
  verify(message: Buffer, mac: Buffer): boolean {
    this.#writeNext(message, this.#expected, 0);
    return timingSafeEqual(this.#expected, mac);
  }

  #writeNext(message: Buffer, target: Buffer, offset: number): void {
    this.#inner.writeDoubleBE(this.#next++, blockBytes);
    if (message.length <= maxCopiedBytes) {
      const end = blockBytes + counterBytes + message.length;
      this.#inner.set(message, blockBytes + counterBytes);
      // As hex, the fastest output of `hash`.
      this.#outer.write(hash("sha256", this.#inner.subarray(0, end), "hex"), blockBytes, "hex");
      target.write(hash("sha256", this.#outer, "hex"), offset, macBytes, "hex");
    } else {
      const number = this.#inner.subarray(blockBytes, blockBytes + counterBytes);
      const mac = createHmac("sha256", this.#key).update(number).update(message).digest();
      mac.copy(target, offset, 0, macBytes);
    }
  }
}
