import { compare, type Row, type Subject } from "../result.ts";
import { runProgram } from "../run-program.ts";

const suite = "process growth";

/** By how much a process grows for a budget of 64 MiB, in multiples of the budget. */
export async function processGrowth(runs: number): Promise<Row[]> {
  const filling = (name: string, args: readonly string[]): Subject => ({
    name,
    async run() {
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
        runs,
        subjects: [
          filling("parsec", ["parsec", "200000"]),
          filling("lru-cache (sizes of key and value)", ["lru-cache", "240000"]),
        ],
      },
    )),
    ...(await compare(
      { suite, case: "the same after four times as many loads", unit: "x budget" },
      {
        runs,
        subjects: [
          filling("parsec", ["parsec", "800000"]),
          filling("lru-cache (sizes of key and value)", ["lru-cache", "960000"]),
        ],
      },
    )),
    ...(await compare(
      { suite, case: "each read three times (decoded copies kept)", unit: "x budget" },
      { runs, subjects: [filling("parsec", ["parsec", "200000", "3"])] },
    )),
  ];
}
