import { ParsecError } from "@parsec/core";
import type { CacheData } from "./cache-data.ts";
import type { CacheRecord } from "./cache-entry.ts";

const mib = 1024 * 1024;
/** Expired entries that are removed at most before a value is refused. */
const sweepLimit = 10_000;

/** Throws `OVERLOADED` when the value would exceed the memory limit of a node. */
export type AdmitValue = (partition: number, record: Pick<CacheRecord, "key" | "value">) => void;

/**
 * Creates the check by which the owner of a key refuses values beyond `maxMib`, since a process that runs out of
 * memory loses all its data. Copies for other owners count, but are never refused: an acknowledged write must
 * have its copies.
 */
export function createMemoryLimit(data: CacheData, maxMib: number): AdmitValue {
  return (partition, record) => {
    const isFull = (): boolean => {
      const growth = data.growthBy(partition, record);
      return growth > 0 && data.heldBytes + growth > maxMib * mib;
    };
    if (!isFull()) return;
    data.sweep(sweepLimit);
    if (!isFull()) return;
    const message = `memory limit of the key's owner reached: ${Math.floor(data.heldBytes / mib)} of ${maxMib} MiB are in use (--max-mib)`;
    throw new ParsecError("OVERLOADED", message);
  };
}
