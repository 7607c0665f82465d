/** Writes fields into a buffer that grows as needed. */
export class FieldWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(expectedBytes = 128) {
    this.#bytes = Buffer.allocUnsafe(expectedBytes);
  }

  u8(value: number): this {
    const at = this.#take(1);
    this.#bytes.writeUInt8(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#take(4);
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }

  /** Writes a whole number up to 2^53. */
  count(value: number): this {
    const at = this.#take(8);
    this.#bytes.writeDoubleLE(value, at);
    return this;
  }

  text(value: string): this {
    const length = Buffer.byteLength(value);
    this.u32(length);
    const at = this.#take(length);
    this.#bytes.write(value, at, "utf8");
    return this;
  }

  bytes(value: Uint8Array): this {
    this.u32(value.length);
    return this.rest(value);
  }

  /** Writes the last bytes of a message, without their length. */
  rest(value: Uint8Array): this {
    const at = this.#take(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Reserves bytes, perhaps in a new buffer: call it before the buffer is used. */
  #take(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    return at;
  }
}
