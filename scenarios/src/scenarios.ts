import type { Scenario } from "./scenario.ts";
import { disagreement } from "./scenarios/disagreement.ts";
import { join } from "./scenarios/join.ts";
import { kill } from "./scenarios/kill.ts";
import { partition } from "./scenarios/partition.ts";
import { readingAndChanging } from "./scenarios/reading-and-changing.ts";
import { rollingRestart } from "./scenarios/rolling-restart.ts";
import { serverRestart } from "./scenarios/server-restart.ts";
import { standstill } from "./scenarios/standstill.ts";

/** What every transport has to stand. */
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
