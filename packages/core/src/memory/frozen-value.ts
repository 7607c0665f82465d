/*
 * One decoded value is returned to all callers, so no caller may change it. Plain data can be frozen; other
 * values (bytes, dates, maps, instances of classes) are decoded again for each caller.
 */

const wordBytes = 8;
/** Header of an object or array with its out-of-line storage, on a 64-bit V8 without pointer compression. */
const objectBytes = 56;
const stringHeaderBytes = 16;

/**
 * Freezes plain data deeply and returns an estimate of its heap size in bytes. Returns -1 and freezes
 * nothing when the data contain a value that freezing does not protect.
 */
export function freezeDeep(value: unknown): number {
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
      return stringHeaderBytes + value.length * 2;
    case "number":
    case "boolean":
    case "undefined":
    case "bigint":
      return 2 * wordBytes;
    case "object":
      return 0; // null
    default:
      return -1;
  }
}
