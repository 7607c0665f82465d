import { type Plan, scaled } from "../plan.ts";
import { runProgram } from "../processes/run-program.ts";
import { compare, type Row, type Subject } from "../result.ts";
import { parsecVersion, versionOf } from "../versions.ts";

const suite = "process growth";

/** Growth of a process that fills a cache of 64 MiB, as a multiple of those 64 MiB. */
export async function processGrowth(plan: Plan): Promise<Row[]> {
  const filling = (cache: "parsec" | "lru-cache", loads: number, reads = 1): Subject => ({
    name: cache === "parsec" ? cache : `${cache} (sizes of key and value)`,
    versions: cache === "parsec" ? parsecVersion() : versionOf(cache),
    async run() {
      const args = [cache, String(scaled(plan, loads)), String(reads)];
      const { growth } = JSON.parse(
        await runProgram("growth", { args, nodeArgs: ["--expose-gc"] }),
      ) as { growth: number };
      return growth;
    },
  });
  return [
    ...(await compare(
      { suite, case: "64 MiB filled once with 256-byte values", unit: "x budget" },
      {
        plan,
        subjects: [filling("parsec", 200_000), filling("lru-cache", 240_000)],
      },
    )),
    ...(await compare(
      { suite, case: "64 MiB filled four times with 256-byte values", unit: "x budget" },
      {
        plan,
        subjects: [filling("parsec", 800_000), filling("lru-cache", 960_000)],
      },
    )),
    ...(await compare(
      {
        suite,
        case: "64 MiB filled once, each value read three times (decoded copies kept)",
        unit: "x budget",
      },
      { plan, subjects: [filling("parsec", 200_000, 3)] },
    )),
  ];
}
