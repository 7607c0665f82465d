import type { ManualClock } from "../../manual-clock.ts";
import { createHistory, type Moment, type SimulationHistory } from "./simulation-history.ts";

/** Writes a history, stamping each event with the order in which it happened. */
export interface SimulationRecorder {
  readonly history: SimulationHistory;
  now(): Moment;
  /** How many requests for the key are open on the node (all nodes when undefined). */
  openGets(key: string, node?: string): number;
}

/** A recorder on the run's virtual clock. */
export function createRecorder(clock: ManualClock): SimulationRecorder {
  const history = createHistory();
  let step = 0;
  return {
    history,
    now: () => ({ step: ++step, atMs: clock.now() }),
    openGets(key, node) {
      let open = 0;
      for (const get of history.gets) {
        const mine = get.key === key && (node === undefined || get.node === node);
        if (mine && get.settled === undefined && !history.deaths.has(get.node)) open++;
      }
      return open;
    },
  };
}
