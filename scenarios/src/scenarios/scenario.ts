import type { CachePolicy } from "@parsec/core";
import type { Cluster } from "../cluster/cluster.ts";
import type { Origin } from "../origin/origin.ts";
import type { Ability, ScenarioTransport } from "../sites/site.ts";

/** What a scenario is played with. */
export interface Scene {
  readonly transport: ScenarioTransport;
  readonly cluster: Cluster;
  readonly origin: Origin;
  /** Puts figures into the report of the test. */
  readonly note: (figures: string) => Promise<void>;
}

/** Something that befalls a cluster, the same over every transport. */
export interface Scenario {
  /** What must hold. */
  readonly name: string;
  readonly policy: CachePolicy;
  readonly needs?: Ability;
  /** Whether nodes are cut off from others. */
  readonly isolating?: true;
  /** Defaults to the project's limit. */
  readonly timeoutMs?: number;
  readonly play: (scene: Scene) => Promise<void>;
}

/** The nodes that most scenarios begin with. */
export const abc: readonly string[] = ["a", "b", "c"];

/** What a caller waits at most. */
export const deadlineMs = 4_000;

/** No copies, so that every question about what another node owns goes over the wire. */
export const withoutCopies: CachePolicy = { timeoutMs: deadlineMs, hot: false };

/** A copy of almost everything, so that there is as much as can be to be told of. */
export const withCopies: CachePolicy = { timeoutMs: deadlineMs, hot: { minRatePerMinute: 1 } };

export function keysNamed(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

export async function fetchesOf(origin: Origin, keyPrefix: string): Promise<number> {
  return (await origin.counts(keyPrefix)).reduce((sum, { fetches }) => sum + fetches, 0);
}
