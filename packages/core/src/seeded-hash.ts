import { randomFillSync } from "node:crypto";

/** Two sums with two random numbers each, for a pair of characters. */
const numbersPerPair = 4;
const upperHalf = 0xffff0000;

/**
 * Hashes strings for a table in this process: two runs of pair-multiply-shift with 16 bits each (M. Thorup,
 * "High Speed Hashing for Integers and Strings", 2015). It is strongly universal: two different strings
 * collide with a probability of 2^-32 whatever they are, so keys chosen by an outsider are spread like all
 * others. Placement needs a hash that is the same everywhere, see `key-hash.ts`.
 */
export class SeededHash {
  #numbers: Int32Array;

  /** `numbers` are random by default; tests pass zeros to make all keys collide. */
  constructor(numbers: Int32Array = randomFillSync(new Int32Array(32 * numbersPerPair))) {
    this.#numbers = numbers;
  }

  /** A signed 32-bit integer. */
  of(key: string): number {
    const { length } = key;
    if (length >= this.#numbers.length / 2 - numbersPerPair) this.#grow(length);
    const numbers = this.#numbers;
    // The length counts as a character: without it, keys that end with U+0000 would collide.
    let upper = (Math.imul(numbers[0] as number, length) + (numbers[1] as number)) | 0;
    let lower = (Math.imul(numbers[2] as number, length) + (numbers[3] as number)) | 0;
    let at = numbersPerPair;
    let index = 1;
    for (; index < length; index += 2, at += numbersPerPair) {
      const one = key.charCodeAt(index - 1);
      const other = key.charCodeAt(index);
      upper =
        (upper + Math.imul((numbers[at] as number) + other, (numbers[at + 1] as number) + one)) | 0;
      lower =
        (lower +
          Math.imul((numbers[at + 2] as number) + other, (numbers[at + 3] as number) + one)) |
        0;
    }
    if (index === length) {
      const last = key.charCodeAt(index - 1);
      upper = (upper + Math.imul(numbers[at] as number, (numbers[at + 1] as number) + last)) | 0;
      lower =
        (lower + Math.imul(numbers[at + 2] as number, (numbers[at + 3] as number) + last)) | 0;
    }
    return (upper & upperHalf) | (lower >>> 16);
  }

  /** Keeps the numbers of earlier characters, so that the hashes of stored keys stay valid. */
  #grow(length: number): void {
    const wanted = 2 * (length + 2 * numbersPerPair);
    const numbers = randomFillSync(new Int32Array(2 ** Math.ceil(Math.log2(wanted))));
    numbers.set(this.#numbers);
    this.#numbers = numbers;
  }
}
