import type { CacheRecord } from "./cache-entry.ts";

/** An entry beside the characters of its key and value: an object, a slot of a map and of a heap, two headers of strings. */
const overheadBytes = 200;

/** Matches a character for which V8 stores the whole string with two bytes for each. */
const wide = /[\u0100-\uffff]/;

/** The memory that an entry takes on V8's heap, in bytes. A test compares it with the process. */
export function heldBytesOf({ key, value }: Pick<CacheRecord, "key" | "value">): number {
  return overheadBytes + textBytes(key) + textBytes(value);
}

function textBytes(text: string): number {
  return wide.test(text) ? 2 * text.length : text.length;
}
