import { expect } from "vitest";
import type { GroupStats } from "../src/group-stats.ts";
import { createGroupCache, type Group, type GroupOptions } from "../src/registry/group-cache.ts";
import { SteppedClock } from "./stepped-clock.ts";
import { WaitingLoader } from "./waiting-loader.ts";

/** One group of one node, on a clock that the test moves. Without jitter unless `random` is set. */
export function newGroup(
  options: GroupOptions,
  random: () => number = () => 0,
): { group: Group; clock: SteppedClock } {
  const clock = new SteppedClock();
  return { group: createGroupCache({ clock, random }).group("g", options), clock };
}

/** A group whose loads wait until the test answers them. */
export function waitingGroup(options: Omit<GroupOptions, "load"> = {}): {
  group: Group;
  clock: SteppedClock;
  loader: WaitingLoader<string, string | undefined>;
} {
  const loader = new WaitingLoader<string, string | undefined>();
  return { loader, ...newGroup({ ...options, load: loader.load }) };
}

export function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString();
}

/** With no load in flight every request is a hit or a load, and every load has one outcome. */
export function expectBalance(stats: GroupStats): void {
  expect(stats.flights).toBe(0);
  expect(stats.gets).toBe(stats.cacheHits + stats.loads);
  expect(stats.loadsDeduped).toBe(
    stats.peerLoads + stats.peerErrors + stats.localLoads + stats.localLoadErrs + stats.warmLoads,
  );
  expect(stats.cacheHits).toBe(stats.main.hits + stats.hot.hits);
}
