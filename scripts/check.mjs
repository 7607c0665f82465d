// Runs every check:* script of package.json, two at once, continues after a failure, and shows the output
// of those that failed.
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { orderedRun } from "./checks/ordered-run.mjs";
import { runChildGroup } from "./processes/child-group.mjs";
import { interruptible } from "./processes/interruptible.mjs";
import { requirePnpm } from "./processes/missing-pnpm.mjs";

/** What reads `dist`: turbo builds once for all of them. */
const needsBuild = new Set(["check:packages", "check:api", "check:size", "check:consumers"]);

const { signal } = interruptible();
await requirePnpm();

process.chdir(new URL("..", import.meta.url).pathname);
/** @type {{ scripts: Record<string, string> }} */
const { scripts } = JSON.parse(await readFile("package.json", "utf8"));
const checks = Object.keys(scripts).filter((name) => /^check:[\w-]+$/.test(name));

/** @type {string[]} */
const failed = [];
await orderedRun(checks, {
  first: ["check:build"],
  follows: (name) => (needsBuild.has(name) ? "check:build" : undefined),
  limit: Math.min(2, availableParallelism()),
  run: runCheck,
});

/** @param {string} name */
async function runCheck(name) {
  if (signal.aborted) return;
  const startedMs = performance.now();
  const { code, output } = await runChildGroup(scripts[name] ?? "", [], {
    shell: true,
    capture: true,
    signal,
  });
  if (signal.aborted) return;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name.padEnd(16)} ${seconds.padStart(6)} s`);
  if (code === 0) return;
  failed.push(name);
  process.stdout.write(`\n${output.trimEnd()}\n\n`);
}

if (signal.aborted) {
  console.log("Interrupted.");
} else if (failed.length > 0) {
  console.log(`${failed.length} of ${checks.length} checks failed: ${failed.join(", ")}`);
  process.exitCode = 1;
} else {
  console.log(`All ${checks.length} checks passed.`);
}
