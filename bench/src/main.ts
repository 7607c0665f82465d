import { mkdir, writeFile } from "node:fs/promises";
import { arch, cpus, platform, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { tableOf } from "./report.ts";
import type { Row } from "./result.ts";
import { localHit } from "./suites/local-hit.ts";
import { processGrowth } from "./suites/process-growth.ts";
import { remoteHit } from "./suites/remote-hit.ts";
import { setEviction } from "./suites/set-eviction.ts";
import { stampede } from "./suites/stampede.ts";

const suites: Record<string, (runs: number, say: (line: string) => void) => Promise<Row[]>> = {
  "local-hit": localHit,
  "set-eviction": setEviction,
  "process-growth": processGrowth,
  "remote-hit": remoteHit,
  stampede,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: "string", default: "5" } },
});
const unknown = positionals.filter((name) => !(name in suites));
const runs = Number(values.runs);
if (unknown.length > 0 || !Number.isInteger(runs) || runs < 1 || runs > 100) {
  console.error(`usage: pnpm bench [--runs 5] [${Object.keys(suites).join(" | ")} …]`);
  process.exit(2);
}

const machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  system: `${platform()} ${release()} ${arch()}`,
  node: process.version,
};
console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.system}, Node ${machine.node}\n`);
const rows: Row[] = [];
for (const name of positionals.length > 0 ? positionals : Object.keys(suites)) {
  const measured = (await suites[name]?.(runs, (line) => console.log(`${name}: ${line}`))) ?? [];
  rows.push(...measured);
  console.log(tableOf(measured));
}
const directory = fileURLToPath(new URL("../results/", import.meta.url));
await mkdir(directory, { recursive: true });
await writeFile(`${directory}latest.json`, `${JSON.stringify({ machine, rows }, undefined, 2)}\n`);
console.log("rows written to bench/results/latest.json");
// Some peers leave handles open; everything measured is done.
process.exit(0);
