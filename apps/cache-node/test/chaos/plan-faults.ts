import type { FaultName } from "./faults.ts";

/** What is done beside kills and leaves, each a tenth as often as kills, once at least. */
const seldom: readonly FaultName[] = [
  "standstill",
  "hiccup",
  "cutOff",
  "lateMessages",
  "natsRestart",
  "natsGone",
  "bucketDeleted",
  "join",
  "killAmidJoin",
  "troubledLeave",
  "twoCoordinators",
  "peersCut",
  "rollingRestart",
  "twins",
];

/** What nodes survive that keep their data on disk. */
const onDisk: readonly FaultName[] = [
  "allKilled",
  "allLeave",
  "staleFirst",
  "kill",
  "leave",
  "rollingRestart",
  "natsGone",
  "bucketDeleted",
];

/** So many kills, three leaves for ten of them, and some of everything else, in any order. */
export function planFaults(killCount: number, random: () => number): FaultName[] {
  const times = (share: number): number => Math.max(1, Math.ceil(killCount * share));
  return shuffled(
    [
      ...repeat("kill", killCount),
      ...repeat("leave", times(0.3)),
      ...seldom.flatMap((name) => repeat(name, times(0.1))),
      ...repeat("natsGoneLong", times(0.02)),
    ],
    random,
  );
}

/** For nodes that keep their data on disk: each fault once for twenty kills of the other plan. */
export function planFaultsOnDisk(killCount: number, random: () => number): FaultName[] {
  const times = Math.max(1, Math.ceil(killCount / 20));
  return shuffled(
    onDisk.flatMap((name) => repeat(name, times)),
    random,
  );
}

function repeat(name: FaultName, count: number): FaultName[] {
  return Array<FaultName>(count).fill(name);
}

function shuffled(planned: readonly FaultName[], random: () => number): FaultName[] {
  return planned
    .map((name) => ({ name, place: random() }))
    .sort((one, other) => one.place - other.place)
    .map(({ name }) => name);
}
