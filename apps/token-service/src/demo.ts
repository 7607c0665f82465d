import {
  describeFlags,
  onStopSignal,
  parseFlags,
  runMain,
  startStoppable,
  watchLaunchers,
} from "@parsec/program";
import { clusterFlags, nodeCount } from "./cluster/cluster-options.ts";
import { startLocalCluster } from "./cluster/local-cluster.ts";
import { FailedCheck, tourSteps } from "./demo/tour-steps.ts";
import { checkUrl } from "./node/environment.ts";

const flags = { "database-url": clusterFlags["database-url"], help: clusterFlags.help } as const;

/** The tour takes a few seconds; the limit keeps a hanging one from blocking a pipeline. */
const timeLimitMs = 120_000;
/** Longer than the nodes may take to stop; then the process exits anyway. */
const stopLimitMs = 10_000;

await runMain("demo", async () => {
  const given = parseFlags(process.argv.slice(2), flags);
  if (given.help !== undefined) {
    process.stdout.write(
      `Runs a tour of a three-node cluster and checks its results.\n\n${describeFlags(flags)}\n`,
    );
    return;
  }
  const databaseUrl = given["database-url"];
  if (databaseUrl !== undefined)
    checkUrl("--database-url", databaseUrl, ["postgres:", "postgresql:"]);

  const startMs = performance.now();
  const { started, stop } = startStoppable(
    (signal) =>
      startLocalCluster(
        // Free ports, so that the tour can run beside a cluster of `start`.
        {
          nodePorts: Array.from({ length: nodeCount }, () => 0),
          idpPort: 0,
          postgresPort: 0,
          databaseUrl,
        },
        {
          onLine: (line) => process.stderr.write(`${line}\n`),
          onNodeLost() {},
          signal,
        },
      ),
    { stopLimitMs },
  );
  // Ctrl-C is not a failure: with another code, package managers print an error.
  let isInterrupted = false;
  onStopSignal((reason) => {
    isInterrupted = true;
    stop(reason === "SIGINT" ? 0 : 130);
  });
  watchLaunchers(() => stop(1));
  setTimeout(() => {
    process.stderr.write(`demo: not done within ${timeLimitMs / 1000} s\n`);
    stop(1);
  }, timeLimitMs).unref();

  const cluster = await started;
  if (cluster === undefined) return;
  const elapsed = (): string => `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
  process.stdout.write(`Three nodes, a database and an identity provider are up (${elapsed()}).\n`);
  process.stdout.write("Queries are counted by the database itself.\n");
  for (const [index, step] of tourSteps.entries()) {
    try {
      const report = await step.run(cluster);
      process.stdout.write(`${index + 1}. ${step.title}: ${report}\n`);
    } catch (reason) {
      // Ctrl-C has ended the nodes, too.
      if (isInterrupted) return;
      const why = reason instanceof Error ? reason.message : String(reason);
      const what = reason instanceof FailedCheck ? "FAILED" : "BROKEN";
      process.stdout.write(`${index + 1}. ${step.title}: ${what}: ${why}\n`);
      stop(1, `Check ${index + 1} of ${tourSteps.length} failed (${elapsed()}).`);
      return;
    }
  }
  stop(0, `All checks passed (${elapsed()}).`);
});
