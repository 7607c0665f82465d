import { disagreement } from "./scenarios/disagreement.ts";
import { join } from "./scenarios/join.ts";
import { kill } from "./scenarios/kill.ts";
import { partition } from "./scenarios/partition.ts";
import { readingAndChanging } from "./scenarios/reading-and-changing.ts";
import { rollingRestart } from "./scenarios/rolling-restart.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { serverRestart } from "./scenarios/server-restart.ts";
import { standstill } from "./scenarios/standstill.ts";

/** What every transport passes. */
export const scenarios: readonly Scenario[] = [
  rollingRestart,
  kill,
  join,
  standstill,
  partition,
  disagreement,
  serverRestart,
  readingAndChanging,
];

export type TransportName = "memory" | "http" | "grpc" | "nats";

/** The share of each transport in `pnpm test`, which runs every scenario over one of them. */
export const shares: Readonly<Record<TransportName, readonly Scenario[]>> = {
  memory: [disagreement],
  http: [kill, partition],
  grpc: [join, standstill],
  nats: [rollingRestart, serverRestart, readingAndChanging],
};

const isCampaign = process.env.PARSEC_CAMPAIGN === "1";

/** What a transport runs: all scenarios in `pnpm campaign`, its share in `pnpm test`. */
export function scenariosOver(name: TransportName): readonly Scenario[] {
  return isCampaign ? scenarios : shares[name];
}
