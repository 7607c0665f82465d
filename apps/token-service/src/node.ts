#!/usr/bin/env node
import { describeFlags, onStopSignal, parseFlags, runMain, supervisorGone } from "@parsec/program";
import { pino } from "pino";
import { nodeConfigFromEnv, nodeVariables } from "./node/node-config.ts";
import { startTokenNode } from "./node/token-node.ts";

const flags = {
  host: { value: "<address>", help: "listen only on this address" },
  port: { value: "<port>", help: "listen on this port instead of the one in PARSEC_SELF_URL" },
  help: { help: "show this" },
} as const;

/** Time after the drain within which a stop must complete; then the process exits with code 1. */
const stopMarginMs = 3_000;
/** Time for a stop after the supervisor was killed; short, because no process would clean up after this one. */
const orphanLimitMs = 1_000;

await runMain("token-service", async () => {
  const given = parseFlags(process.argv.slice(2), flags);
  if (given.help !== undefined) {
    process.stdout.write(
      `One node of a token service.\n\n${describeFlags(flags)}\n\nEnvironment (defaults in brackets):\n${nodeVariables}\n`,
    );
    return;
  }
  const config = nodeConfigFromEnv(process.env, given);
  const log = pino({ level: config.logLevel, base: { node: config.selfUrl } });
  const node = await startTokenNode(config, log);

  onStopSignal((reason) => {
    log.info({ reason }, "stopping");
    const limitMs = reason === supervisorGone ? orphanLimitMs : config.drainMs + stopMarginMs;
    setTimeout(() => process.exit(1), limitMs).unref();
    node.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ reason: String(error) }, "stopping failed");
        process.exit(1);
      },
    );
  });

  const peers = config.discovery === undefined ? config.peerUrls : process.env.PARSEC_PEER_DNS;
  log.info({ peers, issuer: config.issuer }, "listening");
  if (config.signingSecret === undefined) {
    log.warn("PARSEC_SIGNING_SECRET is not set: tokens cannot be verified after a restart");
  }
  node.whenReady().then(
    () => {
      log.info("ready");
      // A supervisor that forked this node waits for it.
      if (process.connected) process.send?.({ type: "ready" });
    },
    () => {},
  );
});
