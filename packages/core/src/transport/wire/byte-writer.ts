import { keyToBytes } from "../../key-bytes.ts";

/** Up to this length a loop is faster than the call of Node's encoder. */
const longestLoopedKey = 64;

const noBytes: Buffer = Buffer.alloc(0);
const noView: DataView = viewOf(noBytes);

/** Writes little-endian fields and bytes to a growing buffer. */
export class ByteWriter {
  #buffer: Buffer;
  #view: DataView;
  #length = 0;

  constructor(initialBytes: number) {
    this.#buffer = Buffer.allocUnsafe(initialBytes);
    this.#view = viewOf(this.#buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** Drops everything after `length`. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** Makes room for `byteCount` bytes. The field methods below do not check for it. */
  reserve(byteCount: number): void {
    const needed = this.#length + byteCount;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
    this.#view = viewOf(grown);
  }

  u8(value: number): void {
    this.#view.setUint8(this.#length, value);
    this.#length += 1;
  }

  u16(value: number): void {
    this.#view.setUint16(this.#length, value, true);
    this.#length += 2;
  }

  u32(value: number): void {
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  f64(value: number): void {
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** Overwrites an integer written earlier, such as a count that was unknown then. */
  patchU16(offset: number, value: number): void {
    this.#view.setUint16(offset, value, true);
  }

  patchU32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  /** Appends bytes, making room for them. */
  bytes(value: Uint8Array): void {
    this.reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  /** Appends the bytes of a key, making room for them, and returns their number. */
  key(key: string): number {
    const length = key.length;
    if (length > longestLoopedKey) return this.#keyBytes(key);
    this.reserve(length);
    const buffer = this.#buffer;
    const start = this.#length;
    for (let index = 0; index < length; index++) {
      const code = key.charCodeAt(index);
      if (code > 0x7f) return this.#keyBytes(key);
      buffer[start + index] = code;
    }
    this.#length = start + length;
    return length;
  }

  #keyBytes(key: string): number {
    const bytes = keyToBytes(key);
    this.bytes(bytes);
    return bytes.length;
  }

  /** A copy of the bytes written; the writer can be reused at once. */
  copy(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }

  /** The bytes written, without copying. The writer allocates a new buffer for later writes. */
  take(): Buffer {
    const written = this.#buffer.subarray(0, this.#length);
    this.#buffer = noBytes;
    this.#view = noView;
    this.#length = 0;
    return written;
  }
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
