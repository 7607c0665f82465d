#!/usr/bin/env node
import {
  closeMessage,
  describeFlags,
  onStopSignal,
  parseFlags,
  runMain,
  supervisorGone,
} from "@parsec/program";
import { pino } from "pino";
import manifest from "../package.json" with { type: "json" };
import { checkCommand } from "./check-command.ts";
import { type CacheNode, startCacheNode } from "./node/cache-node.ts";
import { describeNats } from "./node/nats-target.ts";
import { resolveNodeConfig } from "./node/node-config.ts";
import { nodeFlags } from "./node/node-settings.ts";

/** Time limit of the rest of the shutdown, after the partitions were handed over. */
const closeLimitMs = 5_000;
/** Time limit of the shutdown of a node whose supervisor was killed. */
const orphanLimitMs = 1_000;

await runMain("cache-node", async () => {
  if (process.argv[2] === "check") {
    process.exitCode = await checkCommand(process.argv.slice(3));
    return;
  }
  const given = parseFlags(process.argv.slice(2), nodeFlags, { singleDash: true });
  if (given.help !== undefined) {
    const about =
      "Runs one cache node. Each flag has an environment variable. `check <folder>` checks a folder of --persist instead.";
    process.stdout.write(`${about}\n\n${describeFlags(nodeFlags)}\n`);
    return;
  }
  if (given.version !== undefined) {
    process.stdout.write(`${manifest.version}\n`);
    return;
  }
  const config = resolveNodeConfig(given, process.env);
  const log = pino({ level: config.logLevel, base: { node: config.node } });
  const exit = (code: number): void => process.exit(code);
  let node: CacheNode | undefined;
  onStopSignal(
    (reason) => {
      log.info({ reason }, "stopping");
      // It reads its data, or looks for a server, and holds nothing that others need.
      if (node === undefined) return exit(0);
      const limitMs = reason === supervisorGone ? orphanLimitMs : config.leaveMs + closeLimitMs;
      setTimeout(() => {
        log.error({ limitMs }, "the shutdown took too long");
        exit(1);
      }, limitMs).unref();
      const isAlone = reason === supervisorGone || reason === closeMessage;
      const stopped = isAlone ? node.close() : node.leave();
      stopped.then(
        ({ exitCode, notes }) => {
          for (const { level, message, ...details } of notes) log[level](details, message);
          exit(exitCode);
        },
        (error: unknown) => {
          log.error({ err: error }, "the shutdown failed");
          exit(1);
        },
      );
    },
    () => exit(1),
  );
  node = await startCacheNode(config, log);
  const nats = describeNats(config.nats);
  log.info({ port: node.port, platform: config.platform, nats }, "listening");
  node.broken.catch((error: unknown) => {
    log.fatal({ err: error }, "the node ends after a fatal error");
    setTimeout(exit, closeLimitMs, 1).unref();
    void node?.close().finally(() => exit(1));
  });
  await node.joined;
  log.info("ready");
  // A supervisor that forked this node waits for this message.
  if (process.connected) process.send?.({ type: "ready", port: node.port });
});
