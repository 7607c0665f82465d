import type { CachePolicy } from "@parsec/core";

/** What becomes of messages, drawn for each one. Shares are from 0 to 1. */
export interface SimulatedNetworkPlan {
  readonly minDelayMs: number;
  /** Messages overtake each other by up to the difference of the two delays. */
  readonly maxDelayMs: number;
  readonly loseShare: number;
  readonly garbleShare: number;
  /** Share of messages that arrive a second time, up to `maxLateMs` later. */
  readonly duplicateShare: number;
  readonly maxLateMs: number;
}

/** How the origin behaves, drawn for each fetch. What is left of the shares is a value. */
export interface SimulatedOriginPlan {
  /** A fetch takes up to this long. */
  readonly maxDurationMs: number;
  readonly failShare: number;
  /** Throws before it returns a promise. */
  readonly throwShare: number;
  /** "There is none". */
  readonly absentShare: number;
  /** Returns something that is neither bytes nor text. */
  readonly nonsenseShare: number;
  /** Never ends by itself. */
  readonly hangShare: number;
  /** Of all fetches, those that pay no heed to their signal. */
  readonly deafShare: number;
}

/** One thing that happens, `afterMs` after the one before. Node and key are numbers, taken modulo what there is. */
export type SimulationCommand = { readonly afterMs: number } & (
  | {
      readonly do: "get";
      readonly node: number;
      readonly key: number;
      readonly abortAfterMs?: number;
    }
  | { readonly do: "getMany"; readonly node: number; readonly keys: readonly number[] }
  /** Every node asks for the key `count` times at once. */
  | { readonly do: "stampede"; readonly key: number; readonly count: number }
  | { readonly do: "getUncached"; readonly node: number }
  | { readonly do: "write"; readonly key: number }
  | { readonly do: "invalidate"; readonly node: number; readonly key: number }
  | { readonly do: "invalidateTag"; readonly node: number; readonly tag: number }
  | { readonly do: "invalidateAll"; readonly node: number }
  | { readonly do: "crash"; readonly node: number; readonly silent: boolean }
  /** Closes a node in good order. */
  | { readonly do: "leave"; readonly node: number }
  | { readonly do: "restart"; readonly node: number }
  | { readonly do: "cut"; readonly node: number; readonly other: number; readonly silent: boolean }
  | { readonly do: "heal" }
  /** One node changes its view of the membership: bit i of `members` stands for node i. */
  | { readonly do: "updatePeers"; readonly node: number; readonly members: number }
  /** Every live node learns who is alive. */
  | { readonly do: "agree" }
);

/** The cache policy of every node, with the fields the model needs made plain. */
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

/** Everything that decides a run: the same plan gives the same history. */
export interface SimulationPlan {
  /** Decides delays, losses, durations, jitter and fences. */
  readonly seed: number;
  /** 2 to 4. */
  readonly nodeCount: number;
  /** Whether the nodes are new when it begins, and look into the memories of former owners. */
  readonly isNew: boolean;
  /** Through which interface the nodes cache: bytes under keys, or data sources. */
  readonly surface: "group" | "source";
  readonly policy: SimulatedPolicy;
  readonly network: SimulatedNetworkPlan;
  readonly origin: SimulatedOriginPlan;
  readonly commands: readonly SimulationCommand[];
}

/** The keys of every simulation, with their tags; `""` is never cached. */
export const simulatedKeys: readonly string[] = ["k0", "k1", "k2"];

/** The tags of a simulated key. */
export function tagsOfSimulatedKey(key: string): readonly string[] {
  return key === "k2" ? ["odd", "last"] : ["even"];
}

/** Tags that an `invalidateTag` command may name. */
export const simulatedTags: readonly string[] = ["even", "odd"];
