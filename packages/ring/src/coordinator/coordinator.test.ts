import { randomUUID } from "node:crypto";
import { createUplink, type NatsUplink, resolveServers } from "@parsec/nats";
import { describeOnServers } from "@parsec/nats-fixtures";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "../../test/until.ts";
import { createMonotonicClock } from "../lease/monotonic-clock.ts";
import { NatsCoordinator } from "../nats/nats-coordinator.ts";
import { type Coordinator, type CoordinatorEntry, WriteConflict } from "./coordinator.ts";
import { createMemoryHub } from "./memory-hub.ts";

interface Seat {
  readonly coordinator: Coordinator;
  /** The calls of its listener, in order. */
  readonly told: string[];
  readonly stores: string[];
}

const text = (value: Uint8Array | undefined): string =>
  value === undefined ? "removed" : Buffer.from(value).toString();
const bytes = (value: string): Uint8Array => Buffer.from(value);
const timeoutMs = 2000;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Expects a part of `all` in the same order: a value that was overwritten may be skipped. */
function expectPartOf(told: readonly string[], all: readonly string[]): void {
  expect(told).toEqual(all.filter((each) => told.includes(each)));
}

/** The contract of every coordinator. */
function describeContract(name: string, setup: () => () => Coordinator): void {
  describe(name, () => {
    const open: Coordinator[] = [];
    afterEach(() => Promise.all(open.splice(0).map((each) => each.close())));

    async function seats(count: number): Promise<Seat[]> {
      const seatOf = setup();
      const made = Array.from({ length: count }, () => started(seatOf()));
      open.push(...made.map(({ coordinator }) => coordinator));
      await until(() => made.every(({ stores }) => stores.length > 0));
      return made;
    }

    function started(coordinator: Coordinator): Seat {
      const seat: Seat = { coordinator, told: [], stores: [] };
      const show = ({ key, value }: CoordinatorEntry): string => `${key}=${text(value)}`;
      coordinator.start({
        snapshot(entries, store) {
          seat.stores.push(store);
          seat.told.push(`all ${entries.map(show).join(" ")}`);
        },
        changed: (entry) => seat.told.push(show(entry)),
        lost: () => seat.told.push("lost"),
        warning: () => {},
      });
      return seat;
    }

    it("reads all entries again, each key once, even when keys are overwritten meanwhile", async () => {
      const [a, b] = (await seats(2)) as [Seat, Seat];
      const keys = ["k1", "k2", "k3", "k4"];
      let isReading = true;
      const overwrite = async (key: string): Promise<void> => {
        for (let revision = 0; isReading; await nextTurn()) {
          const value = bytes("x".repeat(1000));
          revision = await a.coordinator.write(key, value, { revision, timeoutMs });
        }
      };
      const writing = Promise.all(keys.map(overwrite));
      await until(() => b.told.length > keys.length * 2);
      for (let read = 0; read < 60; read++) {
        const before = b.stores.length;
        b.coordinator.resync();
        await until(() => b.stores.length > before);
      }
      isReading = false;
      await writing;
      const reads = b.told.filter((told) => told.startsWith("all ")).slice(1);
      const read = reads.map((told) => told.match(/k\d/g)?.sort().join());
      expect(new Set(read)).toEqual(new Set([keys.join()]));
    });

    it("reports writes to all nodes in order, and the whole state to a node that starts later", async () => {
      const [a, b] = (await seats(2)) as [Seat, Seat];
      const first = await a.coordinator.write("k", bytes("1"), { revision: 0, timeoutMs });
      const second = await b.coordinator.write("k", bytes("2"), { revision: first, timeoutMs });
      expect(second).toBeGreaterThan(first);
      await a.coordinator.write("m.YQ", bytes("x"), { revision: 0, timeoutMs });
      for (const { told } of [a, b]) {
        await until(() => told.at(-1) === "m.YQ=x");
        expectPartOf(told, ["all ", "k=1", "k=2", "m.YQ=x"]);
        expect(told).toContain("k=2");
      }
      b.coordinator.resync();
      await until(() => b.stores.length === 2);
      expect(b.told.at(-1)).toBe("all k=2 m.YQ=x");
      expect(new Set([...a.stores, ...b.stores]).size).toBe(1);
    });

    it("accepts exactly one of many writes of the same revision", async () => {
      const made = await seats(3);
      const [a] = made as [Seat];
      const base = await a.coordinator.write("k", bytes("0"), { revision: 0, timeoutMs });
      const outcomes = await Promise.allSettled(
        made.flatMap(({ coordinator }, at) =>
          [1, 2, 3].map((each) =>
            coordinator.write("k", bytes(`${at}.${each}`), { revision: base, timeoutMs }),
          ),
        ),
      );
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(WriteConflict);
      }
      const isLast = ({ told }: Seat): boolean => /^k=\d\.\d$/.test(told.at(-1) ?? "");
      await until(() => made.every(isLast));
      expect(new Set(made.map(({ told }) => told.at(-1))).size).toBe(1);
    });

    it("removes a key only in the given revision, and continues from the removal's revision", async () => {
      const [a] = (await seats(1)) as [Seat];
      const first = await a.coordinator.write("k", bytes("1"), { revision: 0, timeoutMs });
      const second = await a.coordinator.write("k", bytes("2"), { revision: first, timeoutMs });
      const late = a.coordinator.remove("k", { revision: first, timeoutMs });
      await expect(late).rejects.toBeInstanceOf(WriteConflict);
      const removed = await a.coordinator.remove("k", { revision: second, timeoutMs });
      const anew = a.coordinator.write("k", bytes("3"), { revision: 0, timeoutMs });
      await expect(anew).rejects.toBeInstanceOf(WriteConflict);
      await a.coordinator.write("k", bytes("3"), { revision: removed, timeoutMs });
      await until(() => a.told.at(-1) === "k=3");
      expectPartOf(a.told, ["all ", "k=1", "k=2", "k=removed", "k=3"]);
    });

    it("rejects writes after close, and can be closed twice", async () => {
      const [a] = (await seats(1)) as [Seat];
      await a.coordinator.close();
      await a.coordinator.close();
      const late = a.coordinator.write("k", bytes("1"), { revision: 0, timeoutMs });
      await expect(late).rejects.toMatchObject({
        code: expect.stringMatching(/CLOSED|PEER_UNREACHABLE/),
      });
    });
  });
}

describeContract("the coordinator in memory", () => {
  const hub = createMemoryHub();
  return () => hub.seat().coordinator;
});

describeOnServers((server) => {
  describeContract("the coordinator over NATS", () => {
    const bucket = `parsec_ring_${randomUUID()}`;
    const clock = createMonotonicClock();
    const uplinks: NatsUplink[] = [];
    afterEach(() => Promise.all(uplinks.splice(0).map((uplink) => uplink.close())));
    return () => {
      const uplink = createUplink({
        name: "test",
        servers: resolveServers(server.url, undefined),
        connection: undefined,
        refuse: () => undefined,
        retry: { firstMs: 250, longestMs: 250 },
        pingIntervalMs: 1000,
        clock,
        random: Math.random,
      });
      uplinks.push(uplink);
      return new NatsCoordinator({ uplink, bucket, replicas: 1, storage: "file", clock });
    };
  });
});
