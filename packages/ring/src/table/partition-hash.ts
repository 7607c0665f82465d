import { createHash } from "node:crypto";
import { keyToBytes } from "@parsec/core/transport";

/**
 * The partition of a key: the first eight bytes of its SHA-256, read as one big-endian number, modulo
 * the number of partitions. go-cluster hashes alike, so programs in both languages agree.
 */
export function partitionOf(key: string, partitions: number): number {
  const digest = createHash("sha256").update(keyToBytes(key)).digest();
  // 2^32 mod n fits a double, and so does the sum of the products: no BigInt is needed.
  const high = digest.readUInt32BE(0) % partitions;
  const low = digest.readUInt32BE(4) % partitions;
  return (high * (2 ** 32 % partitions) + low) % partitions;
}
