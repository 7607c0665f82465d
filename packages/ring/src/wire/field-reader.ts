import { ParsecError } from "@parsec/core";

/** Reads fields from bytes of another node, and checks each. Throws `MALFORMED_FRAME`. */
export class FieldReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  count(): number {
    const value = this.#bytes.readDoubleLE(this.#take(8));
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw new ParsecError("MALFORMED_FRAME", "a count is not a whole number");
  }

  text(maxBytes: number): string {
    return this.bytes(maxBytes).toString("utf8");
  }

  /** Reads length and bytes. Returns a view of the received message. */
  bytes(maxBytes: number): Buffer {
    const length = this.u32();
    if (length > maxBytes) {
      throw new ParsecError(
        "FRAME_TOO_LARGE",
        `a field must be at most ${maxBytes} bytes, got ${length}`,
      );
    }
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.#take(this.left));
  }

  /** Throws unless all bytes were read. */
  end(): void {
    if (this.left > 0)
      throw new ParsecError("MALFORMED_FRAME", "bytes follow the end of the message");
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.left) throw new ParsecError("MALFORMED_FRAME", "the message is truncated");
    this.#at += count;
    return at;
  }
}
