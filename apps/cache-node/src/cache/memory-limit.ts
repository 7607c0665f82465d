import { ParsecError } from "@parsec/core";
import type { CacheData } from "./cache-data.ts";
import type { CacheRecord } from "./cache-entry.ts";

const mib = 1024 * 1024;
/** Expired entries that are looked for before a value is refused. */
const sweepLimit = 10_000;

/** Throws `OVERLOADED` when the value would take a node beyond its limit. */
export type AdmitValue = (partition: number, record: Pick<CacheRecord, "key" | "value">) => void;

/**
 * Lets the owner of a key refuse what would take the node beyond `maxMib`, since a process that runs out of
 * memory takes everything along. Copies for other owners count, but are never refused: an acknowledged
 * write must have its copies.
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
    const message = `the node that owns the key holds ${Math.floor(data.heldBytes / mib)} of the ${maxMib} MiB that --max-mib allows`;
    throw new ParsecError("OVERLOADED", message);
  };
}
