import type { CacheData } from "./cache-data.ts";

const intervalMs = 1_000;
/** Between two slices other work has its turn. */
const sliceEntries = 5_000;

/** Removes expired entries once a second, so that what nobody asks for takes no room. Returns what ends it. */
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
