import { ParsecError } from "../../errors.ts";
import { keyFromBytes } from "../../key-bytes.ts";

/**
 * Reads the fields that `ByteWriter` writes from untrusted bytes. Call {@link need} before reading any field:
 * the other methods do not check the length.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Throws `MALFORMED_FRAME` naming the field unless `byteCount` more bytes follow. */
  need(byteCount: number, field: string): void {
    if (this.#offset + byteCount > this.#bytes.length) {
      throw new ParsecError(
        "MALFORMED_FRAME",
        `the frame ends inside ${field}: needs ${this.#offset + byteCount} bytes, got ${this.#bytes.length}`,
      );
    }
  }

  u8(): number {
    return this.#view.getUint8(this.#offset++);
  }

  u16(): number {
    const value = this.#view.getUint16(this.#offset, true);
    this.#offset += 2;
    return value;
  }

  u32(): number {
    const value = this.#view.getUint32(this.#offset, true);
    this.#offset += 4;
    return value;
  }

  f64(): number {
    const value = this.#view.getFloat64(this.#offset, true);
    this.#offset += 8;
    return value;
  }

  /** Returns a view, which retains the whole frame in memory. */
  bytes(length: number): Buffer {
    const start = this.#offset;
    this.#offset = start + length;
    return this.#bytes.subarray(start, start + length);
  }

  key(length: number): string {
    const bytes = this.#bytes;
    const start = this.#offset;
    const end = start + length;
    let union = 0;
    for (let index = start; index < end; index++) union |= bytes[index] as number;
    if (union > 0x7f) return keyFromBytes(this.bytes(length));
    this.#offset = end;
    return bytes.toString("latin1", start, end);
  }

  /** Throws `MALFORMED_FRAME` when bytes are left over. */
  end(): void {
    const left = this.#bytes.length - this.#offset;
    if (left !== 0) {
      throw new ParsecError("MALFORMED_FRAME", `${left} bytes follow the end of the frame`);
    }
  }
}
