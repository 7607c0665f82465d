import {
  createDataSourceClusterRegistry,
  type DataSourceHandle,
  type DataSourceRegistry,
} from "@parsec/core";
import {
  createManualClock,
  createMemoryNetwork,
  type ManualClock,
  type MemoryNetwork,
} from "@parsec/testkit";
import { expect } from "vitest";
import { createPlacementMemory } from "../src/memory-transport/placement-memory.ts";

/** Computed once for each membership. */
const place = createPlacementMemory();

/** A node of a {@link VersionedCluster}. */
export interface VersionedNode<Value> {
  readonly registry: DataSourceRegistry;
  readonly source: DataSourceHandle<string, Value>;
}

/**
 * Nodes on a virtual clock that keep a copy of every value that they get. The origin has one version of all values;
 * messages get lost where the test cuts a direction.
 */
export class VersionedCluster<Value> {
  readonly clock: ManualClock = createManualClock();
  /** Directions in which messages get lost, such as `a>b`. */
  readonly lost: Set<string> = new Set();
  readonly network: MemoryNetwork = createMemoryNetwork({
    clock: this.clock,
    fate: ({ from, to }) => ({ delayMs: 2, lost: this.lost.has(`${from}>${to}`) }),
    place,
  });
  readonly ids: readonly string[];
  readonly nodes: Map<string, VersionedNode<Value>> = new Map();
  readonly warnings: string[] = [];
  version: number = 1;
  /** All that were started, also those that crashed. */
  readonly #registries: { close(): Promise<void> }[] = [];
  readonly #toValue: (version: number) => Value;

  constructor(ids: readonly string[], toValue: (version: number) => Value) {
    this.ids = ids;
    this.#toValue = toValue;
    for (const id of ids) this.start(id);
  }

  start(selfId: string): VersionedNode<Value> {
    const peers = this.network.createPeers({ selfId, ids: this.ids });
    peers.warn = ({ kind, peerId }) => this.warnings.push(`${selfId}: ${kind} ${peerId}`);
    const registry = createDataSourceClusterRegistry({ peers, clock: this.clock });
    const source: DataSourceHandle<string, Value> = registry.register(
      {
        name: "versions",
        cacheKey: (key: string) => key,
        fetch: async () => this.#toValue(this.version),
      },
      { hot: { minRatePerMinute: 0 }, tags: () => ["versions"] },
    );
    const node = { registry, source };
    this.#registries.push(registry);
    this.nodes.set(selfId, node);
    return node;
  }

  node(id: string): VersionedNode<Value> {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  /** A key that the node owns. */
  keyOf(id: string): string {
    const placement = place(this.ids);
    for (let index = 0; ; index++) {
      const key = `key ${index}`;
      if (placement.ownerOf(key) === id) return key;
    }
  }

  /** Runs the clock until the promise has settled. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    let pending = true;
    const ended = promise.finally(() => {
      pending = false;
    });
    ended.catch(() => {});
    while (pending) await this.clock.run(10);
    return await ended;
  }

  async fill(key: string): Promise<void> {
    for (const id of this.ids) await this.settled(this.node(id).source.get(key));
  }

  crash(...ids: string[]): void {
    for (const id of ids) this.network.crash(id);
  }

  isolate(id: string): void {
    for (const other of this.ids) if (other !== id) this.network.cut(id, other);
  }

  async close(): Promise<void> {
    await this.settled(Promise.all(this.#registries.map((registry) => registry.close())));
    expect(this.clock.pendingCount).toBe(0);
  }
}
