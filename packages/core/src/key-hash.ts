/**
 * FNV-1a over the key's UTF-16 code units with the finalizer of MurmurHash3, as a signed 32-bit integer.
 * The same on every machine, so it can place keys; not collision-resistant against attackers.
 */
export function hashKey(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  // FNV mixes the low bits of short keys poorly, and slots are taken from the low bits.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
