import { onStopSignal, runMain, startStoppable, watchLaunchers } from "@parsec/program";
import { clusterHelp, clusterOptionsFromFlags } from "./cluster/cluster-options.ts";
import { startLocalCluster } from "./cluster/local-cluster.ts";
import { welcome } from "./cluster/welcome.ts";

/** Longer than the nodes may take to stop; then the process exits anyway. */
const stopLimitMs = 10_000;

await runMain("start", async () => {
  const options = clusterOptionsFromFlags(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(clusterHelp);
    return;
  }
  let alive = 0;
  const { started, stop } = startStoppable(
    (signal) =>
      startLocalCluster(options, {
        onLine: (line) => process.stderr.write(`${line}\n`),
        onNodeLost(node, how) {
          alive -= 1;
          const rest = alive === 1 ? "1 node still running" : `${alive} nodes still running`;
          process.stderr.write(
            `the node at ${node.url} (pid ${node.pid}) ended: ${how}; ${rest}\n`,
          );
          if (alive === 0) stop(1);
        },
        signal,
      }),
    { stopLimitMs },
  );
  onStopSignal(() => stop(0));
  watchLaunchers(() => stop(0));
  // The reader has closed the output, as with a closed terminal or `| head`.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => stop(0));

  const cluster = await started;
  // Ctrl-C during the start ends the nodes, too, and is not a failure.
  if (cluster === undefined) return;
  alive = cluster.nodes.length;
  process.stdout.write(welcome(cluster));
});
