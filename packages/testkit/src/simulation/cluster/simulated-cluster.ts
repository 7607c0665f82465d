import type { Placement } from "@parsec/core/transport";
import { createManualClock, type ManualClock } from "../../manual-clock.ts";
import {
  createMemoryNetwork,
  type MemoryNetwork,
} from "../../memory-transport/memory-transport.ts";
import { settlePromises } from "../../settle-promises.ts";
import type { SimulationHistory } from "../history/simulation-history.ts";
import { createRecorder, type SimulationRecorder } from "../history/simulation-recorder.ts";
import type { SimulationPlan } from "../plan/simulation-plan.ts";
import { createRandomStreams } from "./random-streams.ts";
import { createRecordingPicker } from "./recording-picker.ts";
import { createSimulatedFate } from "./simulated-network-fate.ts";
import { createSimulatedHandle, type SimulatedHandle } from "./simulated-node.ts";
import { createSimulatedOrigin, type SimulatedOrigin } from "./simulated-origin.ts";

/** A running node. `ref` is its incarnation: a restarted node has a new one. */
export interface LiveNode {
  readonly index: number;
  readonly id: string;
  readonly ref: string;
  readonly handle: SimulatedHandle;
  /** The membership as this node has it. */
  members: readonly string[];
  owns(key: string): boolean;
}

/** The nodes, network, clock and origin of one run. */
export interface SimulatedCluster {
  readonly plan: SimulationPlan;
  readonly clock: ManualClock;
  readonly recorder: SimulationRecorder;
  readonly origin: SimulatedOrigin;
  readonly history: SimulationHistory;
  /** Running nodes, sorted by index. */
  live(): readonly LiveNode[];
  liveById(id: string): LiveNode | undefined;
  crash(node: LiveNode, silent: boolean): void;
  /** Closes a node gracefully: it answers its peers until its hand-over is complete. */
  leave(node: LiveNode): void;
  /** Starts a node that is down. Does nothing while it is still leaving. */
  restart(index: number): void;
  cut(a: number, b: number, silent: boolean): void;
  heal(): void;
  updatePeers(node: LiveNode, ids: readonly string[]): void;
  /** Sets the membership of all running nodes to the running nodes. */
  agree(): void;
  /** Disables message faults. */
  makeReliable(): void;
  /** False after the first fault other than of messages and the origin. */
  readonly undisturbed: boolean;
  /** Closes all nodes and advances the clock until they are closed. */
  close(): Promise<void>;
}

/** The id of the node at `index`. */
export function simulatedNodeId(index: number): string {
  return `n${index}`;
}

/** Starts `plan.nodeCount` nodes with all of them as members. */
export function createSimulatedCluster(
  plan: SimulationPlan,
  place: (ids: readonly string[]) => Placement,
): SimulatedCluster {
  const clock = createManualClock();
  const recorder = createRecorder(clock);
  const random = createRandomStreams(plan.seed);
  const fate = createSimulatedFate(plan.network, random);
  const network: MemoryNetwork = createMemoryNetwork({ clock, fate: fate.of, place });
  const origin = createSimulatedOrigin({ plan: plan.origin, clock, recorder, random });
  const { history } = recorder;
  const allIds = Array.from({ length: plan.nodeCount }, (_, index) => simulatedNodeId(index));
  const nodes = new Map<number, LiveNode>();
  const incarnations = new Map<number, number>();
  const closing: Promise<unknown>[] = [];
  const leaving = new Set<number>();
  let cuts = 0;
  let undisturbed = true;

  const live = (): LiveNode[] => [...nodes.values()].sort((a, b) => a.index - b.index);

  /** Begins or ends a period of unrest after a change. */
  const updateUnrest = (): void => {
    const up = live().map((node) => node.id);
    const agreed = live().every((node) => node.members.join() === up.join());
    const last = history.unrest.at(-1);
    const open = last !== undefined && last.to === undefined ? last : undefined;
    const calm = agreed && cuts === 0;
    if (!calm && open === undefined) history.unrest.push({ from: recorder.now() });
    if (calm && open !== undefined) open.to = recorder.now();
    if (!calm) undisturbed = false;
  };

  const start = (index: number): void => {
    const id = simulatedNodeId(index);
    const incarnation = (incarnations.get(index) ?? 0) + 1;
    incarnations.set(index, incarnation);
    const ref = `${id}#${incarnation}`;
    const memoryPicker = network.createPeers({ selfId: id, ids: allIds });
    const picker = createRecordingPicker(memoryPicker, { node: ref, recorder });
    const handle = createSimulatedHandle({
      node: ref,
      plan,
      picker,
      clock,
      random: random(`node ${ref}`),
      origin,
    });
    const owns = (key: string): boolean => memoryPicker.pick(key) === undefined;
    nodes.set(index, { index, id, ref, handle, members: allIds, owns });
  };
  for (let index = 0; index < plan.nodeCount; index++) start(index);

  return {
    plan,
    clock,
    recorder,
    origin,
    history,
    live,
    liveById: (id) => live().find((node) => node.id === id),
    crash(node, silent) {
      nodes.delete(node.index);
      history.deaths.set(node.ref, recorder.now());
      history.debtsLost = true;
      network.crash(node.id, silent ? "silent" : "refuse");
      // Closing cancels the timers of the crashed node; its messages are not delivered.
      closing.push(node.handle.close());
      updateUnrest();
    },
    leave(node) {
      nodes.delete(node.index);
      leaving.add(node.index);
      history.departures.set(node.ref, recorder.now());
      const gone = node.handle.close().then(() => {
        history.deaths.set(node.ref, recorder.now());
        leaving.delete(node.index);
      });
      closing.push(gone);
      updateUnrest();
    },
    restart(index) {
      if (nodes.has(index) || leaving.has(index)) return;
      start(index);
      updateUnrest();
    },
    cut(a, b, silent) {
      if (a === b) return;
      network.cut(simulatedNodeId(a), simulatedNodeId(b), silent ? "silent" : "refuse");
      cuts++;
      updateUnrest();
    },
    heal() {
      network.heal();
      cuts = 0;
      updateUnrest();
    },
    updatePeers(node, ids) {
      node.members = [...ids].sort();
      node.handle.updatePeers(ids);
      updateUnrest();
    },
    agree() {
      const ids = live().map((node) => node.id);
      for (const node of live()) this.updatePeers(node, ids);
    },
    makeReliable: () => fate.makeReliable(),
    get undisturbed() {
      return undisturbed;
    },
    async close() {
      for (const node of live()) closing.push(node.handle.close());
      let isClosed = false;
      const closed = Promise.all(closing).then(() => {
        isClosed = true;
      });
      await settlePromises();
      while (!isClosed && clock.advanceToNextTimer()) await settlePromises();
      await closed;
    },
  };
}
