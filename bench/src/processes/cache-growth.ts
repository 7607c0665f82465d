import { runProgram } from "./run-program.ts";
import type { Growth, Workload } from "./workload.ts";

/** By how much a process grows more with a cache than without, and the charge of the cache. */
export async function cacheGrowth(workload: Workload): Promise<Growth> {
  const measure = async (maxBytes: number): Promise<Growth> => {
    const args = [JSON.stringify(workload), String(maxBytes)];
    const output = await runProgram("memory-shapes", { args, nodeArgs: ["--expose-gc"] });
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
