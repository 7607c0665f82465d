import { randomUUID } from "node:crypto";
import {
  createMemoryHub,
  createRing,
  type MemoryHub,
  type Ring,
  type RingEvent,
  type RingOptions,
} from "../src/index.ts";
import { createMapState, type MapState } from "./map-state.ts";
import { until } from "./until.ts";

export interface TestRing {
  readonly id: string;
  readonly ring: Ring;
  readonly state: MapState;
  readonly events: RingEvent[];
  /** The calls of the hooks, in order. */
  readonly hooks: string[];
  /** Cuts the node off from all others, as a network failure does. */
  cut(): void;
  heal(): void;
  put(key: string, value: string): Promise<string>;
  get(key: string, options?: { readonly staleOk?: boolean }): Promise<string>;
}

export interface TestRings {
  readonly rings: TestRing[];
  join(id: string, over?: Partial<RingOptions>): Promise<TestRing>;
  /** Waits until all agree on these members, nothing moves, and there are as many copies as possible. */
  settled(ids: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Short leases, for tests that wait for them to expire, but longer than a busy machine stops a process. */
const fastLease = { leaseMs: 600, joinDelayMs: 10, replicaTimeoutMs: 100 };

interface Seat {
  readonly options: Partial<RingOptions>;
  cut(): void;
  heal(): void;
}

export function memoryRings(
  defaults: Partial<RingOptions> = {},
  hub: MemoryHub = createMemoryHub(),
): TestRings {
  return testRings({ ...fastLease, ...defaults }, () => {
    const { coordinator, link, cut, heal } = hub.seat();
    return { options: { coordinator, link }, cut, heal };
  });
}

/** Rings in one process that share a server. Leases are long enough for a busy machine. */
export function natsRings(url: string, defaults: Partial<RingOptions> = {}): TestRings {
  const platform = `test ${randomUUID()}`;
  const cannot = (): void => {
    throw new Error("a ring over NATS is cut off by a proxy");
  };
  return testRings({ platform, leaseMs: 900, joinDelayMs: 50, ...defaults }, () => {
    return { options: { servers: url }, cut: cannot, heal: cannot };
  });
}

function testRings(defaults: Partial<RingOptions>, seatOf: () => Seat): TestRings {
  const rings: TestRing[] = [];
  return {
    rings,
    async join(id, over = {}) {
      const seat = seatOf();
      const state = createMapState();
      const own = { platform: "test", node: id, state, partitions: 16, ...seat.options };
      const ring = createRing({ ...own, ...defaults, ...over });
      const joined = testRing(ring, { id, state, seat });
      rings.push(joined);
      await ring.start();
      return joined;
    },
    settled: (ids) => settled(rings, ids),
    async close() {
      await Promise.all(rings.map(({ ring }) => ring.close()));
    },
  };
}

function testRing(
  ring: Ring,
  { id, state, seat }: { readonly id: string; readonly state: MapState; readonly seat: Seat },
): TestRing {
  const events: RingEvent[] = [];
  const hooks: string[] = [];
  ring.subscribe((event) => events.push(event));
  ring.onOwn((partitions, { lost }) => {
    for (const each of partitions) hooks.push(`own ${each}${lost ? " lost" : ""}`);
  });
  ring.onRelease((partitions) => {
    for (const each of partitions) hooks.push(`release ${each}`);
  });
  return {
    id,
    ring,
    state,
    events,
    hooks,
    cut: () => seat.cut(),
    heal: () => seat.heal(),
    async put(key, value) {
      return Buffer.from(await ring.write(key, Buffer.from(`${key}=${value}`))).toString();
    },
    async get(key, options = {}) {
      return Buffer.from(await ring.read(key, Buffer.from(key), options)).toString();
    },
  };
}

async function settled(rings: readonly TestRing[], ids: readonly string[]): Promise<void> {
  const expected = [...ids].sort().join();
  const alive = rings.filter(({ id }) => ids.includes(id));
  await until(() => {
    const states = alive
      .map(({ ring }) => ring.state())
      .filter(({ status }) => status !== "closed");
    const first = states[0];
    return states.every((state) => {
      const copies = Math.min(ids.length, state.replicas);
      const owned = states.reduce((sum, each) => sum + each.owned.length, 0);
      return (
        state.members.map(({ id }) => id).join() === expected &&
        state.incarnation === first?.incarnation &&
        state.epoch === first?.epoch &&
        state.moving.length === 0 &&
        state.members.reduce((sum, { backups }) => sum + backups, 0) ===
          state.partitions * (copies - 1) &&
        owned === state.partitions
      );
    });
  });
}
