import { runProgram } from "./run-program.ts";
import type { Growth, Workload } from "./workload.ts";

/**
 * A process that gives back what it frees. glibc keeps freed buffers below 128 KiB, or more later, on a heap that shrinks
 * at its end only, and V8's young generation grows with the load: both differ from run to run by tens of MiB.
 */
const returning = {
  nodeArgs: ["--max-semi-space-size=2"],
  env: { MALLOC_MMAP_THRESHOLD_: "32768" },
};

/**
 * By how much a process grows more with a cache than without, and the charge of the cache. With `exact`, freed
 * memory that malloc and V8 would keep is not part of it.
 */
export async function cacheGrowth(
  workload: Workload,
  { exact = false }: { readonly exact?: boolean } = {},
): Promise<Growth> {
  const { nodeArgs, env } = exact ? returning : { nodeArgs: [], env: {} };
  const measure = async (maxBytes: number): Promise<Growth> => {
    const args = [JSON.stringify(workload), String(maxBytes)];
    const output = await runProgram("memory-shapes", {
      args,
      nodeArgs: ["--expose-gc", ...nodeArgs],
      env,
    });
    return JSON.parse(output) as Growth;
  };
  const without = await measure(0);
  const grown = await measure(workload.maxBytes);
  return {
    process: grown.process - without.process,
    live: grown.live - without.live,
    charged: grown.charged,
  };
}
