import { type Plan, scaled } from "../plan.ts";
import { compare, type Row, type Subject } from "../result.ts";
import { runProgram } from "../run-program.ts";
import { parsecVersion, versionOf } from "../versions.ts";

const suite = "process growth";

/** By how much a process grows for a budget of 64 MiB, in multiples of the budget. */
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
      { suite, case: "the same after four times as many loads", unit: "x budget" },
      {
        plan,
        subjects: [filling("parsec", 800_000), filling("lru-cache", 960_000)],
      },
    )),
    ...(await compare(
      { suite, case: "each read three times (decoded copies kept)", unit: "x budget" },
      { plan, subjects: [filling("parsec", 200_000, 3)] },
    )),
  ];
}
