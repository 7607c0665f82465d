import { freezeDeep } from "../memory/frozen-value.ts";
import type { Decoder } from "../memory/group-memory.ts";

/** The result of a flight for all of its waiters, decoded once where one decoded value can be shared. */
export class LoadedValue<T> {
  readonly bytes: Uint8Array | undefined;
  readonly freshUntil: number;
  #value: T | undefined = undefined;
  #decoded = false;

  constructor(bytes: Uint8Array | undefined, freshUntil: number) {
    this.bytes = bytes;
    this.freshUntil = freshUntil;
  }

  /** The decoded value; undefined when the origin has none. Throws `CODEC_FAILED`. */
  open(decoder: Decoder<T>): T | undefined {
    if (this.bytes === undefined) return undefined;
    if (this.#decoded) return this.#value;
    const value = decoder.decode(this.bytes);
    if (decoder.shared && freezeDeep(value) >= 0) {
      this.#decoded = true;
      this.#value = value;
    }
    return value;
  }
}
