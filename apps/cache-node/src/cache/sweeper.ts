import type { CacheData } from "./cache-data.ts";

const intervalMs = 1_000;
/** Entries removed at once; other work can run between two slices. */
const sliceEntries = 5_000;

/** Removes expired entries once a second, so that entries that are never read use no memory. Returns a function that stops it. */
export function startSweeper(data: CacheData): () => void {
  let slice: NodeJS.Immediate | undefined;
  const sweep = (): void => {
    slice = data.sweep(sliceEntries) ? setImmediate(sweep) : undefined;
  };
  const timer = setInterval(() => {
    if (slice === undefined) sweep();
  }, intervalMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    if (slice !== undefined) clearImmediate(slice);
  };
}
