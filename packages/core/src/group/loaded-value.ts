import { freezeDeep } from "../memory/frozen-value.ts";
import type { Decoder } from "../memory/group-memory.ts";

/** What a flight brings to all who waited for it: decoded once, if one decoded value may serve them all. */
export class LoadedValue<T> {
  readonly bytes: Uint8Array | undefined;
  readonly freshUntil: number;
  #value: T | undefined = undefined;
  #decoded = false;

  constructor(bytes: Uint8Array | undefined, freshUntil: number) {
    this.bytes = bytes;
    this.freshUntil = freshUntil;
  }

  /** Throws `CODEC_FAILED`. */
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
