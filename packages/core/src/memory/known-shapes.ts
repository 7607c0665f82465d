/*
 * What property names cost in V8, measured on Node 20: an object is as large as its values, but a sequence of
 * names that no other object has takes a hidden class for each name, and an object with many names is a hash
 * table of its own.
 */

/** Hidden class, descriptor and transition of a name, without the name. */
const transitionBytes = 160;
/** From here on `JSON.parse` makes an object a hash table. */
const hashTableKeys = 128;
/** A position of a hash table: name, value and details. */
const hashTableBytes = 24;
/** Names in a sparse hash table of numbers. */
const indexBytes = 144;
/** Entry of a name in V8's table of strings. */
const internedBytes = 16;
/** Bounds the memory of the sequences that are remembered to about 64 KiB. */
const maxKnownNames = 256;

const isIndex = /^(?:0|[1-9]\d{0,9})$/;
const twoByte = /[^\0-\xff]/;
const stringHeaderBytes = 16;
const wordBytes = 8;

interface Following extends Map<string, Following> {}

/** Heap bytes of a string. */
export function stringBytes(text: string): number {
  const bytes = twoByte.test(text) ? text.length * 2 : text.length;
  return stringHeaderBytes + Math.ceil(bytes / wordBytes) * wordBytes;
}

/** The sequences of property names that many objects of a group share, which cost nothing more. */
export class KnownShapes {
  readonly #first: Following = new Map();
  #known = 0;

  /** Estimated heap bytes of an object's names, beyond a word for each value. */
  namesBytes(names: readonly string[]): number {
    if (names.length >= hashTableKeys) return hashTable(names);
    let bytes = 0;
    let indexes = 0;
    let following: Following | undefined = this.#first;
    for (const name of names) {
      const code = name.charCodeAt(0);
      if (code >= 48 && code <= 57 && isIndex.test(name)) {
        indexes++;
        continue;
      }
      let next: Following | undefined = following?.get(name);
      if (next === undefined) {
        bytes += transitionBytes + stringBytes(name);
        if (following !== undefined && this.#known < maxKnownNames) {
          next = new Map();
          following.set(name, next);
          this.#known++;
        }
      }
      following = next;
    }
    return indexes === 0 ? bytes : bytes + indexesBytes(names, indexes);
  }
}

function hashTable(names: readonly string[]): number {
  let bytes = 2 ** Math.ceil(Math.log2(names.length * 1.5)) * hashTableBytes;
  let indexes = 0;
  for (const name of names) {
    if (isIndex.test(name)) indexes++;
    else bytes += stringBytes(name) + internedBytes;
  }
  return bytes + indexes * indexBytes;
}

/** Numbers come first and in ascending order. Dense ones are an array. */
function indexesBytes(names: readonly string[], count: number): number {
  const largest = Number(names[count - 1]);
  return Math.min(count * indexBytes, (largest + 2) * 2 * wordBytes);
}
