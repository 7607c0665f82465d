import { runMain } from "./cli/run-main.ts";
import { clusterHelp, clusterOptionsFromFlags } from "./cluster/cluster-options.ts";
import { watchLaunchers } from "./cluster/launcher-watch.ts";
import { startLocalCluster } from "./cluster/local-cluster.ts";
import { welcome } from "./cluster/welcome.ts";
import { onStopSignal } from "./node/stop-signals.ts";

/** Longer than the nodes may take; after that nothing is waited for any more. */
const stopLimitMs = 12_000;

await runMain("start", async () => {
  const options = clusterOptionsFromFlags(process.argv.slice(2), process.env);
  if (options === undefined) {
    process.stdout.write(clusterHelp);
    return;
  }
  const stopping = new AbortController();
  const stop = (exitCode: number): void => {
    if (stopping.signal.aborted) return;
    setTimeout(() => process.exit(1), stopLimitMs).unref();
    stopping.abort();
    starting
      // Without a cluster there is nothing left to close: a start that fails cleans up by itself.
      .then(
        (cluster) => cluster.close(),
        () => {},
      )
      .then(
        () => process.exit(exitCode),
        () => process.exit(1),
      );
  };
  let alive = 0;
  const starting = startLocalCluster(options, {
    onLine: (line) => process.stderr.write(`${line}\n`),
    onNodeLost(node, how) {
      alive -= 1;
      const rest = alive === 1 ? "one node goes on" : `${alive} nodes go on`;
      process.stderr.write(`${node.id} (pid ${node.pid}) ended: ${how}; ${rest}\n`);
      if (alive === 0) stop(1);
    },
    onNatsLost(words) {
      process.stderr.write(`the nats-server ended: ${words}\n`);
      stop(1);
    },
    signal: stopping.signal,
  });
  onStopSignal(
    () => stop(0),
    // Nodes and server see that this process has gone, and follow.
    () => process.exit(1),
  );
  watchLaunchers(() => stop(0));
  // Nobody reads any more, as with a closed terminal or `| head`.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => stop(0));

  const cluster = await starting.catch((reason: unknown) => {
    // Ctrl-C during the start ends the nodes as well; that is no failure.
    if (!stopping.signal.aborted) throw reason;
  });
  if (cluster === undefined || stopping.signal.aborted) return;
  alive = cluster.nodes.length;
  process.stdout.write(welcome(cluster));
});
