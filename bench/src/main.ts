import { mkdir, readFile, writeFile } from "node:fs/promises";
import { arch, availableParallelism, cpus, platform, release } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { benchFolder } from "./bench-folder.ts";
import type { Plan } from "./plan.ts";
import { tableOf } from "./report.ts";
import type { Row } from "./result.ts";
import { coldJoin } from "./suites/cold-join.ts";
import { invalidation } from "./suites/invalidation.ts";
import { localHit } from "./suites/local-hit.ts";
import { memoryShapes } from "./suites/memory-shapes.ts";
import { processGrowth } from "./suites/process-growth.ts";
import { remoteHit } from "./suites/remote-hit.ts";
import { ringKills } from "./suites/ring-kills.ts";
import { ringLoad } from "./suites/ring-load.ts";
import { ringMoves } from "./suites/ring-moves.ts";
import { rollingRestart } from "./suites/rolling-restart.ts";
import { setEviction } from "./suites/set-eviction.ts";
import { stampede } from "./suites/stampede.ts";

const suites: Readonly<Record<string, (plan: Plan) => Promise<Row[]>>> = {
  "local-hit": localHit,
  "set-eviction": setEviction,
  "process-growth": processGrowth,
  "memory-shapes": memoryShapes,
  "remote-hit-http": (plan) => remoteHit("HTTP", plan),
  "remote-hit-grpc": (plan) => remoteHit("gRPC", plan),
  "remote-hit-nats": (plan) => remoteHit("NATS", plan),
  stampede,
  invalidation,
  "cold-join": coldJoin,
  "rolling-restart": rollingRestart,
  "ring-load": ringLoad,
  "ring-moves": ringMoves,
  "ring-kills": ringKills,
};

const usage = `usage: pnpm bench [--runs 5] [--smoke] [--out file.json] [--nats-server program] [suite …]

suites: ${Object.keys(suites).join(", ")}
The beginning of a name selects all suites that start with it, such as remote-hit.`;

/** The parsed command line; undefined when it is invalid. */
function readCommandLine() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        runs: { type: "string" },
        smoke: { type: "boolean", default: false },
        out: { type: "string" },
        "nats-server": { type: "string" },
      },
    });
    const runs = Number(values.runs ?? (values.smoke ? 1 : 5));
    if (!Number.isInteger(runs) || runs < 1 || runs > 100) return undefined;
    const all = Object.keys(suites);
    const isMeant = (name: string): boolean =>
      positionals.length === 0 ||
      positionals.some((part) => name === part || name.startsWith(`${part}-`));
    const unknown = positionals.some(
      (part) => !all.some((name) => name === part || name.startsWith(`${part}-`)),
    );
    return unknown ? undefined : { ...values, runs, names: all.filter(isMeant) };
  } catch {
    return undefined;
  }
}

const wanted = readCommandLine();
if (wanted === undefined) {
  console.error(usage);
  process.exit(2);
}
const { smoke, runs, names } = wanted;
const machine = [
  cpus()[0]?.model ?? "unknown",
  `${availableParallelism()} cores`,
  `${platform()} ${release()} ${arch()}`,
  `Node ${process.version}`,
].join(", ");
console.log(`${machine}\n`);

// A smoke run shares its machine with other tests, and may not be allowed to use these cores.
const isPinned = !smoke && availableParallelism() > 1;
const rows: Row[] = [];
for (const name of names) {
  const measured =
    (await suites[name]?.({
      runs,
      smoke,
      seconds: smoke ? 0.05 : 2,
      warmUpSeconds: smoke ? 0.02 : 0.5,
      serverCore: isPinned ? 0 : undefined,
      clientCore: isPinned ? 1 : undefined,
      natsProgram: wanted["nats-server"],
      say: (line) => console.log(`${name}: ${line}`),
    })) ?? [];
  rows.push(...measured);
  console.log(tableOf(measured));
}

const results = fileURLToPath(new URL("results/latest.json", benchFolder));
const file = wanted.out ?? (smoke ? undefined : results);
if (file !== undefined) {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, await withOthers(file));
  console.log(`rows written to ${file}`);
  if (file === results) console.log("pnpm bench:plot draws them into the README");
}
// Some peers leave handles open after the last measurement.
process.exit(0);

/** The new text of the results file; rows of suites that were not run stay as they are. */
async function withOthers(path: string): Promise<string> {
  const measured = new Set(rows.map(({ suite }) => suite));
  const measuredOn = new Date().toISOString().slice(0, 10);
  const before = await readFile(path, "utf8").catch(() => '{ "rows": [] }');
  const kept = (JSON.parse(before) as { readonly rows: readonly Row[] }).rows.filter(
    (row) => !measured.has(row.suite) && "machine" in row,
  );
  const added = rows.map((row) => ({ ...row, machine, measuredOn }));
  return `${JSON.stringify({ rows: [...kept, ...added] }, undefined, 2)}\n`;
}
