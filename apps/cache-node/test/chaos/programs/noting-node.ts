import { openSync, writeSync } from "node:fs";
import { onStopSignal, parseFlags, runMain, supervisorGone } from "@parsec/program";
import { pino } from "pino";
import { startCacheNode } from "../../../src/node/cache-node.ts";
import { resolveNodeConfig } from "../../../src/node/node-config.ts";
import { nodeFlags } from "../../../src/node/node-settings.ts";
import { notesVariable } from "../service-note.ts";
import { createNotingRing } from "./noting-ring.ts";

/* A node of the cache that notes what was served under which ownership; otherwise as `node.ts` runs it. */

const stopLimitMs = 20_000;

await runMain("noting-node", async () => {
  const config = resolveNodeConfig(
    parseFlags(process.argv.slice(2), nodeFlags, { singleDash: true }),
    process.env,
  );
  const log = pino({ level: config.logLevel, base: { node: config.node, pid: process.pid } });
  const notes = openSync(process.env[notesVariable] ?? "", "a");
  const node = await startCacheNode(config, log, {
    makeRing: (options) =>
      createNotingRing(options, (served) => {
        // At once: what is written outlives a kill.
        writeSync(notes, `${JSON.stringify(served)}\n`);
      }),
  });
  onStopSignal(
    (reason) => {
      log.info({ reason }, "stopping");
      setTimeout(() => process.exit(1), stopLimitMs).unref();
      const stopped = reason === supervisorGone ? node.close() : node.leave();
      stopped.then(
        () => process.exit(0),
        () => process.exit(1),
      );
    },
    () => process.exit(1),
  );
  process.send?.({ port: node.port });
  await node.joined;
  process.send?.({ joined: true });
});
