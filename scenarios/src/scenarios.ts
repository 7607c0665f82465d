import { cutOff } from "./scenarios/cut-off.ts";
import { disagreement } from "./scenarios/disagreement.ts";
import { join } from "./scenarios/join.ts";
import { kill } from "./scenarios/kill.ts";
import { partition } from "./scenarios/partition.ts";
import { pauseNode } from "./scenarios/pause.ts";
import { readingAndChanging } from "./scenarios/reading-and-changing.ts";
import { rollingRestart } from "./scenarios/rolling-restart.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { serverRestart } from "./scenarios/server-restart.ts";

/** All scenarios. Every transport passes them in `pnpm campaign`, NATS all but one. */
export const scenarios: readonly Scenario[] = [
  rollingRestart,
  kill,
  join,
  pauseNode,
  partition,
  cutOff,
  disagreement,
  serverRestart,
  readingAndChanging,
];

export type TransportName = "memory" | "http" | "grpc" | "nats";

/** The scenarios of each transport in `pnpm test`, which runs every scenario over one transport. */
export const shares: Readonly<Record<TransportName, readonly Scenario[]>> = {
  memory: [disagreement],
  http: [kill, partition, cutOff],
  grpc: [join, pauseNode],
  nats: [rollingRestart, serverRestart, readingAndChanging],
};

const isCampaign = process.env.PARSEC_CAMPAIGN === "1";

/** The scenarios to run over a transport: all in `pnpm campaign`, its share in `pnpm test`. */
export function scenariosOver(name: TransportName): readonly Scenario[] {
  if (!isCampaign) return shares[name];
  // Members over NATS see each other through the server, which is not killed, so they have no contact.
  return scenarios.filter((scenario) => name !== "nats" || scenario !== cutOff);
}
