// Runs every check that is no test, goes on after a failure, and shows the output of those that failed.
import { readFile } from "node:fs/promises";
import { runChildGroup } from "./child-group.mjs";

const interrupt = new AbortController();
const { signal } = interrupt;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interrupt.abort());

process.chdir(new URL("..", import.meta.url).pathname);
/** @type {{ scripts: Record<string, string> }} */
const { scripts } = JSON.parse(await readFile("package.json", "utf8"));
const checks = Object.keys(scripts).filter((name) => name.startsWith("check:"));

/** @type {string[]} */
const failed = [];
for (const name of checks) {
  const startedMs = performance.now();
  const { code, output } = await runChildGroup(scripts[name] ?? "", [], {
    shell: true,
    capture: true,
    signal,
  });
  if (signal.aborted) break;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name.padEnd(16)} ${seconds.padStart(6)} s`);
  if (code === 0) continue;
  failed.push(name);
  process.stdout.write(`\n${output.trimEnd()}\n\n`);
}

if (signal.aborted) {
  console.log("Interrupted.");
  process.exitCode = 130;
} else if (failed.length > 0) {
  console.log(`${failed.length} of ${checks.length} checks failed: ${failed.join(", ")}`);
  process.exitCode = 1;
} else {
  console.log(`All ${checks.length} checks passed.`);
}
