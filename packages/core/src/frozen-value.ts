/*
 * A decoded value is handed to every caller, so none may change it. Plain data can be frozen; what
 * cannot (bytes, dates, maps, instances of classes) is decoded anew for each caller instead.
 */

const wordBytes = 8;
/** Header of an object or array with its out-of-line storage, on a 64-bit V8 without pointer compression. */
const objectBytes = 56;
const stringHeaderBytes = 16;

/**
 * Freezes plain data to the bottom and estimates the heap it takes, in bytes. Returns -1, having
 * frozen only parts, when it holds anything that freezing does not protect.
 */
export function freezeDeep(value: unknown): number {
  switch (typeof value) {
    case "string":
      return stringHeaderBytes + value.length * 2;
    case "number":
      return 2 * wordBytes;
    case "object":
      return value === null ? 0 : freezeObject(value);
    case "boolean":
    case "undefined":
    case "bigint":
      return 2 * wordBytes;
    default:
      return -1;
  }
}

function freezeObject(value: object): number {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) {
    return -1;
  }
  let bytes = objectBytes;
  for (const child of Array.isArray(value) ? value : Object.values(value)) {
    const childBytes = freezeDeep(child);
    if (childBytes < 0) return -1;
    bytes += wordBytes + childBytes;
  }
  Object.freeze(value);
  return bytes;
}
