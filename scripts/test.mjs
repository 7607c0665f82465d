// Runs the tests: starts the servers they ask for, builds the programs they run, calls vitest, and
// leaves nothing behind. Arguments go to vitest: `pnpm test packages/core`, `pnpm test --watch flight`.
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runChildGroup } from "./processes/child-group.mjs";
import { interruptible } from "./processes/interruptible.mjs";
import { buildQuietly } from "./processes/quiet-build.mjs";
import { allServers } from "./servers/all-servers.mjs";
import { neededServers } from "./servers/needed-servers.mjs";
import { startServer } from "./servers/start-server.mjs";
import { closingLines } from "./test-run/closing-line.mjs";
import { figureLines } from "./test-run/figure-lines.mjs";
import { neededBuilds } from "./test-run/needed-builds.mjs";
import { parseTestArguments } from "./test-run/test-arguments.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const args = process.argv.slice(2);
const { filters, isWatching } = await parseTestArguments(args);

const { signal } = interruptible();

/** @type {import("./servers/server.d.ts").RunningServer[]} */
const running = [];
const folder = await mkdtemp(join(tmpdir(), "parsec-test-"));
// A server that may not run as root has to reach its own folder in this one.
await chmod(folder, 0o711);

try {
  process.chdir(root);
  const building = build();
  const environment = await startServers().finally(() => building);
  const built = await building;
  if (signal.aborted) console.log("Interrupted.");
  else if (built) await runVitest(environment);
  else conclude(["The build failed: see above. No test was run."], undefined, 1);
} finally {
  await Promise.all(running.map((server) => server.stop()));
  await rm(folder, { recursive: true, force: true });
}

/** @returns {Promise<boolean>} whether everything is built that the selected tests run */
async function build() {
  const packages = await neededBuilds(root, filters);
  return packages.length === 0 || buildQuietly({ signal, packages, isPlain: true });
}

/**
 * @returns {Promise<Record<string, string>>} for each server its URL and in `…_PROGRAM` what runs, or in
 *   `…_MISSING` why there is none
 */
async function startServers() {
  const servers = await neededServers(allServers, { root, filters });
  /** @type {Record<string, string>} */
  const environment = {};
  // One after the other: apt holds a lock.
  for (const server of servers) {
    if (signal.aborted || process.env[server.variable]) continue;
    try {
      const started = await startServer(server, { folder, log: console.log, signal });
      running.push(started);
      environment[server.variable] = started.url;
      if (started.program !== undefined) {
        environment[server.variable.replace(/_URL$/, "_PROGRAM")] = started.program;
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      console.log(`Tests that need ${server.name} are skipped: ${reason}`);
      environment[server.variable.replace(/_URL$/, "_MISSING")] = reason;
    }
  }
  return environment;
}

/** @param {Record<string, string>} environment */
async function runVitest(environment) {
  const resultsFile = join(folder, "results.json");
  const { code, leftBehind } = await runChildGroup(
    process.execPath,
    [
      join(root, "node_modules/vitest/vitest.mjs"),
      ...(isWatching ? [] : ["run"]),
      ...args,
      ...reporters(),
    ],
    {
      env: { ...process.env, ...environment, PARSEC_TEST_RESULTS: resultsFile },
      interactive: isWatching,
      signal,
    },
  );
  if (signal.aborted) {
    console.log("Interrupted.");
    return;
  }
  if (isWatching) {
    // Vitest has shown each run, and ends on q or Ctrl-C.
    process.exitCode = code === 130 ? 0 : code;
    return;
  }
  const results = await readFile(resultsFile, "utf8").then(JSON.parse, () => undefined);
  const remarks = leftBehind.map((command) => `Left behind by the tests, and ended: ${command}`);
  const isCampaign = process.env.PARSEC_CAMPAIGN === "1";
  conclude([...(isCampaign ? figureLines(results?.figures ?? []) : []), ...remarks], results, code);
}

/** Ours beside the usual ones, which naming any reporter would switch off. */
function reporters() {
  const chosen = args.some((arg) => arg.startsWith("--reporter"));
  const usual = process.env.GITHUB_ACTIONS === "true" ? ["default", "github-actions"] : ["default"];
  const ours = join(root, "scripts/test-run/test-results-reporter.mjs");
  return [...(chosen ? [] : usual), ours].map((name) => `--reporter=${name}`);
}

/**
 * @param {readonly string[]} remarks
 * @param {import("./test-run/closing-line.mjs").TestResults | undefined} results
 * @param {number} code
 */
function conclude(remarks, results, code) {
  process.exitCode = code;
  for (const line of [...remarks, ...closingLines(results, code)]) console.log(line);
}
