import type { ManualClock } from "../../manual-clock.ts";
import { createHistory, type Moment, type SimulationHistory } from "./simulation-history.ts";

/** Records a history and numbers its events. */
export interface SimulationRecorder {
  readonly history: SimulationHistory;
  now(): Moment;
  /** Number of open requests for the key on the node, or on all nodes. */
  openGets(key: string, node?: string): number;
}

/** Creates a recorder with the virtual clock of the run. */
export function createRecorder(clock: ManualClock): SimulationRecorder {
  const history = createHistory();
  let step = 0;
  return {
    history,
    now: () => ({ step: ++step, atMs: clock.now() }),
    openGets(key, node) {
      let open = 0;
      for (const get of history.gets) {
        const isCounted = get.key === key && (node === undefined || get.node === node);
        if (isCounted && get.settled === undefined && !history.deaths.has(get.node)) open++;
      }
      return open;
    },
  };
}
