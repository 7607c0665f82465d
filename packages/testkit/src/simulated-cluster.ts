import type { Placement } from "@parsec/core";
import { createManualClock, type ManualClock } from "./manual-clock.ts";
import { createMemoryNetwork, type MemoryNetwork } from "./memory-transport.ts";
import { createRandomStreams } from "./random-streams.ts";
import { createRecordingPicker } from "./recording-picker.ts";
import { createSimulatedFate } from "./simulated-network-fate.ts";
import { createSimulatedHandle, type SimulatedHandle } from "./simulated-node.ts";
import { createSimulatedOrigin, type SimulatedOrigin } from "./simulated-origin.ts";
import type { SimulationHistory } from "./simulation-history.ts";
import type { SimulationPlan } from "./simulation-plan.ts";
import { createRecorder, type SimulationRecorder } from "./simulation-recorder.ts";

/** A node that is up. Its `ref` names the incarnation: a restarted node is another one. */
export interface LiveNode {
  readonly index: number;
  readonly id: string;
  readonly ref: string;
  readonly handle: SimulatedHandle;
  /** Its view of the membership. */
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
  /** Nodes that are up, in the order of their numbers. */
  live(): readonly LiveNode[];
  liveById(id: string): LiveNode | undefined;
  crash(node: LiveNode, silent: boolean): void;
  /** Starts a node that is down. */
  restart(index: number): void;
  cut(a: number, b: number, silent: boolean): void;
  heal(): void;
  updatePeers(node: LiveNode, ids: readonly string[]): void;
  /** False as soon as anything but messages and the origin has gone wrong once. */
  readonly undisturbed: boolean;
  close(): Promise<void>;
}

/** The id of node `index`. */
export function simulatedNodeId(index: number): string {
  return `n${index}`;
}

/** Starts `plan.nodeCount` nodes that know one another. */
export function createSimulatedCluster(
  plan: SimulationPlan,
  place: (ids: readonly string[]) => Placement,
): SimulatedCluster {
  const clock = createManualClock();
  const recorder = createRecorder(clock);
  const random = createRandomStreams(plan.seed);
  const fate = createSimulatedFate(plan.network, random);
  const network: MemoryNetwork = createMemoryNetwork({ clock, fate, place });
  const origin = createSimulatedOrigin({ plan: plan.origin, clock, recorder, random });
  const { history } = recorder;
  const allIds = Array.from({ length: plan.nodeCount }, (_, index) => simulatedNodeId(index));
  const nodes = new Map<number, LiveNode>();
  const incarnations = new Map<number, number>();
  const closing: Promise<void>[] = [];
  let cuts = 0;
  let undisturbed = true;

  const live = (): LiveNode[] => [...nodes.values()].sort((a, b) => a.index - b.index);

  /** Opens or ends a stretch of unrest after a change. */
  const noteUnrest = (): void => {
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
      network.crash(node.id, silent ? "silent" : "refuse");
      // The dead process frees its timers; what it still does reaches nobody.
      closing.push(node.handle.close());
      noteUnrest();
    },
    restart(index) {
      if (nodes.has(index)) return;
      start(index);
      noteUnrest();
    },
    cut(a, b, silent) {
      if (a === b) return;
      network.cut(simulatedNodeId(a), simulatedNodeId(b), silent ? "silent" : "refuse");
      cuts++;
      noteUnrest();
    },
    heal() {
      network.heal();
      cuts = 0;
      noteUnrest();
    },
    updatePeers(node, ids) {
      node.members = [...ids].sort();
      node.handle.updatePeers(ids);
      noteUnrest();
    },
    get undisturbed() {
      return undisturbed;
    },
    async close() {
      for (const node of live()) closing.push(node.handle.close());
      await Promise.all(closing);
    },
  };
}
