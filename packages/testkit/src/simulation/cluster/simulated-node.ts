import {
  createDataSourceClusterRegistry,
  createGroupCache,
  type GroupStats,
  type InvalidationResult,
  type PeerPicker,
} from "@parsec/core";
import type { ManualClock } from "../../manual-clock.ts";
import { type SimulationPlan, tagsOfSimulatedKey } from "../plan/simulation-plan.ts";
import type { SimulatedOrigin } from "./simulated-origin.ts";
import { formatValue, type SimulatedValue } from "./simulated-value.ts";

/** One cache under test, behind either of core's two interfaces. */
export interface SimulatedHandle {
  get(
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | SimulatedValue | undefined>;
  getMany(keys: readonly string[]): Promise<readonly (Uint8Array | SimulatedValue | undefined)[]>;
  peek(key: string): Uint8Array | SimulatedValue | undefined;
  invalidate(key: string): Promise<InvalidationResult>;
  invalidateTag(tag: string): Promise<InvalidationResult>;
  invalidateAll(): Promise<InvalidationResult>;
  stats(): GroupStats;
  updatePeers(ids: readonly string[]): void;
  close(): Promise<void>;
}

interface NodeParts {
  readonly node: string;
  readonly plan: SimulationPlan;
  readonly picker: PeerPicker;
  readonly clock: ManualClock;
  readonly random: () => number;
  readonly origin: SimulatedOrigin;
}

/** Creates the cache of a node, with the one group or data source of the simulation. */
export function createSimulatedHandle(parts: NodeParts): SimulatedHandle {
  return parts.plan.surface === "group" ? groupHandle(parts) : sourceHandle(parts);
}

function groupHandle({ node, plan, picker, clock, random, origin }: NodeParts): SimulatedHandle {
  const cache = createGroupCache({ peers: picker, clock, random });
  const group = cache.group("simulated", {
    ...plan.policy,
    load(key, context) {
      const value = origin.fetch(node, key, context);
      // A bigint is an invalid value of the origin and is passed on.
      return value.then((found) => (typeof found === "object" ? formatValue(found) : found));
    },
    tags: tagsOfSimulatedKey,
  });
  return {
    get: (key, signal) => group.get(key, signal === undefined ? {} : { signal }),
    getMany: (keys) => group.getMany(keys),
    peek: (key) => group.peek(key),
    invalidate: (key) => group.invalidate(key),
    invalidateTag: (tag) => group.invalidateTag(tag),
    invalidateAll: () => group.invalidateAll(),
    stats: () => group.stats(),
    updatePeers: (ids) => cache.updatePeers(ids),
    close: () => cache.close(),
  };
}

function sourceHandle({ node, plan, picker, clock, random, origin }: NodeParts): SimulatedHandle {
  const registry = createDataSourceClusterRegistry({ peers: picker, clock, random });
  const source = registry.register<{ readonly id: string }, SimulatedValue>(
    {
      name: "simulated",
      cacheKey: ({ id }) => id,
      fetch: ({ id }, context) => origin.fetch(node, id, context),
    },
    { ...plan.policy, tags: ({ id }) => tagsOfSimulatedKey(id) },
  );
  return {
    get: (key, signal) => source.get({ id: key }, signal === undefined ? {} : { signal }),
    getMany: (keys) => source.getMany(keys.map((id) => ({ id }))),
    peek: (key) => source.peek({ id: key }),
    invalidate: (key) => source.invalidate({ id: key }),
    invalidateTag: (tag) => source.invalidateTag(tag),
    invalidateAll: () => source.invalidateAll(),
    stats: () => source.stats(),
    updatePeers: (ids) => registry.updatePeers(ids),
    close: () => registry.close(),
  };
}
