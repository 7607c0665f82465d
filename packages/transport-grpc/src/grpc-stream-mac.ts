import { createHmac, hash, timingSafeEqual } from "node:crypto";

/** As much of a MAC as travels. */
export const macBytes = 16;

/** SHA-256 reads blocks of this length; a key of HMAC is padded to one. */
const blockBytes = 64;
const digestBytes = 32;
const counterBytes = 8;
/** Beside hashing a longer message, what `createHmac` costs does not count; copying it would. */
const maxCopiedBytes = 2048;

/**
 * HMAC-SHA256 over the number of a message and the message, by the key of one direction of a stream.
 * Short messages are hashed in two single calls, as RFC 2104 defines it: a `createHmac` for each takes
 * three times as long, which is most of what a proof costs a lookup.
 */
export class StreamMac {
  readonly #key: Buffer;
  /** The key for the inner hash, and behind it room for number and message. */
  readonly #inner: Buffer = Buffer.alloc(blockBytes + counterBytes + maxCopiedBytes, 0x36);
  /** The key for the outer hash, and behind it room for the inner one. */
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

  /** The message with its MAC, to be sent next. */
  append(message: Buffer): Buffer {
    const sealed = Buffer.allocUnsafe(message.length + macBytes);
    sealed.set(message);
    this.#writeNext(message, sealed, message.length);
    return sealed;
  }

  /** Whether this is the MAC of the message that was sent next. */
  verify(message: Buffer, mac: Buffer): boolean {
    this.#writeNext(message, this.#expected, 0);
    return timingSafeEqual(this.#expected, mac);
  }

  #writeNext(message: Buffer, target: Buffer, offset: number): void {
    this.#inner.writeDoubleBE(this.#next++, blockBytes);
    if (message.length <= maxCopiedBytes) {
      const end = blockBytes + counterBytes + message.length;
      this.#inner.set(message, blockBytes + counterBytes);
      // As text, because that is what `hash` returns fastest.
      this.#outer.write(hash("sha256", this.#inner.subarray(0, end), "hex"), blockBytes, "hex");
      target.write(hash("sha256", this.#outer, "hex"), offset, macBytes, "hex");
    } else {
      const number = this.#inner.subarray(blockBytes, blockBytes + counterBytes);
      const mac = createHmac("sha256", this.#key).update(number).update(message).digest();
      mac.copy(target, offset, 0, macBytes);
    }
  }
}
