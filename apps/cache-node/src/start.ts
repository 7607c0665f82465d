import { onStopSignal, runMain, startStoppable, watchLaunchers } from "@parsec/program";
import { clusterHelp, clusterOptionsFromFlags } from "./cluster/cluster-options.ts";
import { startLocalCluster } from "./cluster/local-cluster.ts";
import { welcome } from "./cluster/welcome.ts";

/** Time limit of the shutdown; longer than the nodes need. */
const stopLimitMs = 12_000;

await runMain("start", async () => {
  const options = clusterOptionsFromFlags(process.argv.slice(2), process.env);
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
          process.stderr.write(`${node.id} (pid ${node.pid}) ended: ${how}; ${rest}\n`);
          if (alive === 0) stop(1);
        },
        onNatsLost(words) {
          process.stderr.write(`the nats-server ended: ${words}\n`);
          stop(1);
        },
        signal,
      }),
    { stopLimitMs },
  );
  onStopSignal(
    () => stop(0),
    // Nodes and server detect the end of this process, and end as well.
    () => process.exit(1),
  );
  watchLaunchers(() => stop(0));
  // The reader is gone, as with a closed terminal or `| head`.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => stop(0));

  const cluster = await started;
  // Ctrl-C during the start ends the nodes as well, which is not a failure.
  if (cluster === undefined) return;
  alive = cluster.nodes.length;
  process.stdout.write(welcome(cluster));
});
