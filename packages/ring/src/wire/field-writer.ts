/** Writes fields into a buffer that grows as needed. */
export class FieldWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(expectedBytes = 128) {
    this.#bytes = Buffer.allocUnsafe(expectedBytes);
  }

  u8(value: number): this {
    this.#bytes.writeUInt8(value, this.#take(1));
    return this;
  }

  u32(value: number): this {
    this.#bytes.writeUInt32LE(value, this.#take(4));
    return this;
  }

  /** Writes a whole number up to 2^53. */
  count(value: number): this {
    this.#bytes.writeDoubleLE(value, this.#take(8));
    return this;
  }

  text(value: string): this {
    const length = Buffer.byteLength(value);
    this.u32(length);
    this.#bytes.write(value, this.#take(length), "utf8");
    return this;
  }

  bytes(value: Uint8Array): this {
    this.u32(value.length);
    return this.rest(value);
  }

  /** Writes the last bytes of a message, without their length. */
  rest(value: Uint8Array): this {
    this.#bytes.set(value, this.#take(value.length));
    return this;
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

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
