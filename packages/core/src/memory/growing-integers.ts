/** Copying an array up to this length takes far less than a millisecond. */
const largestCopy = 2 ** 19;

/**
 * An array with room for `length` integers that begins with those of `integers`. Doubles small arrays.
 * Larger ones get room for `maxLength` at once: copying them again and again would hold up the event loop,
 * and memory that was never written takes no room in the process.
 */
export function grownIntegers(
  integers: Int32Array,
  { length, maxLength }: { readonly length: number; readonly maxLength: number },
): Int32Array {
  let capacity = integers.length;
  while (capacity < length)
    capacity = capacity < largestCopy ? capacity * 2 : capacity + largestCopy;
  if (capacity > largestCopy) capacity = Math.max(capacity, maxLength);
  const grown = new Int32Array(capacity);
  grown.set(integers);
  return grown;
}
