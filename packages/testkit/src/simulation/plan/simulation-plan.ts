import type { CachePolicy } from "@parsec/core";

/** The network of a simulation: delays and faults, drawn for each message. Shares are from 0 to 1. */
export interface SimulatedNetworkPlan {
  readonly minDelayMs: number;
  /** Messages overtake each other when it is greater than `minDelayMs`. */
  readonly maxDelayMs: number;
  readonly loseShare: number;
  readonly garbleShare: number;
  /** Share of messages that arrive a second time, up to `maxLateMs` later. */
  readonly duplicateShare: number;
  readonly maxLateMs: number;
}

/** The origin of a simulation: duration and result, drawn for each fetch. The rest of the shares returns a value. */
export interface SimulatedOriginPlan {
  /** Maximum duration of a fetch. */
  readonly maxDurationMs: number;
  /** Share of fetches that reject. */
  readonly failShare: number;
  /** Share of fetches that throw synchronously. */
  readonly throwShare: number;
  /** Share of fetches that return an absent value. */
  readonly absentShare: number;
  /** Share of fetches that return an invalid value: neither bytes nor text. */
  readonly nonsenseShare: number;
  /** Share of fetches that end only by their signal. */
  readonly hangShare: number;
  /** Share of all fetches that ignore their signal. */
  readonly deafShare: number;
}

/** One event of a simulation, `afterMs` after the previous one. Node and key are indices, modulo the existing ones. */
export type SimulationCommand = { readonly afterMs: number } & (
  | {
      readonly do: "get";
      readonly node: number;
      readonly key: number;
      readonly abortAfterMs?: number;
    }
  | { readonly do: "getMany"; readonly node: number; readonly keys: readonly number[] }
  /** Every node gets the key `count` times at once. */
  | { readonly do: "stampede"; readonly key: number; readonly count: number }
  | { readonly do: "getUncached"; readonly node: number }
  | { readonly do: "write"; readonly key: number }
  | { readonly do: "invalidate"; readonly node: number; readonly key: number }
  | { readonly do: "invalidateTag"; readonly node: number; readonly tag: number }
  | { readonly do: "invalidateAll"; readonly node: number }
  | { readonly do: "crash"; readonly node: number; readonly silent: boolean }
  /** Closes a node gracefully. */
  | { readonly do: "leave"; readonly node: number }
  | { readonly do: "restart"; readonly node: number }
  | { readonly do: "cut"; readonly node: number; readonly other: number; readonly silent: boolean }
  | { readonly do: "heal" }
  /** Changes the membership of one node only: bit i of `members` stands for node i. */
  | { readonly do: "updatePeers"; readonly node: number; readonly members: number }
  /** Sets the membership of all running nodes to the running nodes. */
  | { readonly do: "agree" }
);

/** The cache policy of every simulated node. Fields that `checkHistory` uses are required. */
export interface SimulatedPolicy extends CachePolicy {
  readonly maxBytes: number;
  readonly ttlMs: number;
  readonly ttlJitter: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly negativeTtlMs: number;
  readonly timeoutMs: number;
  readonly onPeerFailure: "load" | "fail";
}

/** The complete input of a simulation: the same plan gives the same history. */
export interface SimulationPlan {
  /** Seed of delays, losses, durations, jitter and fences. */
  readonly seed: number;
  /** From 2 to 4. */
  readonly nodeCount: number;
  /** Whether the nodes are new at the start and look up values in the memory of former owners. */
  readonly isNew: boolean;
  /** The interface of core under test: a group of bytes, or a data source. */
  readonly surface: "group" | "source";
  readonly policy: SimulatedPolicy;
  readonly network: SimulatedNetworkPlan;
  readonly origin: SimulatedOriginPlan;
  readonly commands: readonly SimulationCommand[];
}

/** The keys of every simulation. The key `""` exists as well and is never cached. */
export const simulatedKeys: readonly string[] = ["k0", "k1", "k2"];

/** The tags of a simulated key. */
export function tagsOfSimulatedKey(key: string): readonly string[] {
  return key === "k2" ? ["odd", "last"] : ["even"];
}

/** Tags that an `invalidateTag` command may name. */
export const simulatedTags: readonly string[] = ["even", "odd"];
