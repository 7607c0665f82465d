import type { CachePolicy } from "@parsec/core";
import type { Cluster } from "../cluster/cluster.ts";
import type { Origin } from "../origin/origin.ts";
import type { Ability, ScenarioTransport } from "../sites/site.ts";

/** The input of a scenario. */
export interface Scene {
  readonly transport: ScenarioTransport;
  readonly cluster: Cluster;
  readonly origin: Origin;
  /** Prints figures in the report of the test. */
  readonly note: (figures: string) => Promise<void>;
}

/** A fault and its required outcome, the same over every transport. */
export interface Scenario {
  /** Title of the test: the required outcome. */
  readonly name: string;
  readonly policy: CachePolicy;
  readonly needs?: Ability;
  /** Set when nodes are isolated. */
  readonly isolating?: true;
  /** Defaults to the timeout of the project. */
  readonly timeoutMs?: number;
  readonly run: (scene: Scene) => Promise<void>;
}

/** The nodes of most scenarios. */
export const abc: readonly string[] = ["a", "b", "c"];

/** Timeout of every request. */
export const deadlineMs = 4_000;

/** No hot copies, so that every get of another node's key is sent to it. */
export const withoutCopies: CachePolicy = { timeoutMs: deadlineMs, hot: false };

/** Hot copies of almost all keys, so that invalidations have an effect on every node. */
export const withCopies: CachePolicy = { timeoutMs: deadlineMs, hot: { minRatePerMinute: 1 } };

export function keysNamed(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

export async function fetchesOf(origin: Origin, keyPrefix: string): Promise<number> {
  return (await origin.counts(keyPrefix)).reduce((sum, { fetches }) => sum + fetches, 0);
}
