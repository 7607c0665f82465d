import { type KnownShapes, stringBytes } from "./known-shapes.ts";

/*
 * One decoded value is returned to all callers, so no caller may change it. Plain data can be frozen; other
 * values (bytes, dates, maps, instances of classes) are decoded again for each caller.
 */

const wordBytes = 8;
/** Header of an object or array with its out-of-line storage, on a 64-bit V8 without pointer compression. */
const objectBytes = 56;
/** A number that is not a small integer, in an object of its own. */
const numberBytes = 16;

/**
 * Freezes plain data deeply and returns an estimate of its heap size in bytes, with the property names that
 * are not among the known shapes. Returns -1 and freezes nothing when the data contain a value that freezing
 * does not protect.
 */
export function freezeDeep(value: unknown, shapes?: KnownShapes): number {
  if (typeof value !== "object" || value === null) return primitiveBytes(value);
  // Iterated while it grows instead of recursively: the data of a codec may be nested deeper than the
  // stack, or be cyclic.
  const objects = new Set([value]);
  let bytes = 0;
  for (const object of objects) {
    const prototype: unknown = Object.getPrototypeOf(object);
    if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) {
      return -1;
    }
    bytes += objectBytes;
    if (shapes !== undefined && !Array.isArray(object)) {
      bytes += shapes.namesBytes(Object.keys(object));
    }
    for (const child of Array.isArray(object) ? object : Object.values(object)) {
      bytes += wordBytes;
      if (typeof child === "object" && child !== null) {
        objects.add(child);
      } else {
        const childBytes = primitiveBytes(child);
        if (childBytes < 0) return -1;
        bytes += childBytes;
      }
    }
  }
  for (const object of objects) Object.freeze(object);
  return bytes;
}

function primitiveBytes(value: unknown): number {
  switch (typeof value) {
    case "string":
      return stringBytes(value);
    case "number":
      return value === (value | 0) ? 0 : numberBytes;
    case "boolean":
    case "undefined":
      return 0;
    case "bigint":
      // Two hexadecimal digits a byte, with a header like a string's.
      return stringBytes(value.toString(16));
    case "object":
      return 0; // null
    default:
      return -1;
  }
}
