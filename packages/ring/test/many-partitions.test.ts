import { afterEach, expect, it } from "vitest";
import { memoryRings, type TestRings } from "./test-rings.ts";

let cluster: TestRings;
afterEach(() => cluster.close());

it("moves many partitions side by side: a join and a leave of 1,024 share writes of the table", async () => {
  // Long leases: three nodes in one process keep each other busy.
  cluster = memoryRings({ partitions: 1024, leaseMs: 5000, replicaTimeoutMs: 1000 });
  const a = await cluster.join("a");
  await cluster.join("b");
  await cluster.settled(["a", "b"]);
  const keys = Array.from({ length: 200 }, (_, at) => `key ${at}`);
  await Promise.all(keys.map((key) => a.put(key, "1")));
  const before = a.ring.state().epoch;
  const c = await cluster.join("c");
  await cluster.settled(["a", "b", "c"]);
  const moved = c.ring.state().owned.length;
  expect(moved).toBe(341);
  const joined = a.ring.state().epoch;
  // Each move also changes the copies.
  expect(joined - before).toBeLessThan(moved / 2);
  expect(await c.ring.leave()).toEqual({ unmoved: [], onlyHere: [] });
  expect(a.ring.state().epoch - joined).toBeLessThan(moved / 2);
  await cluster.settled(["a", "b"]);
  expect(await Promise.all(keys.map((key) => a.get(key)))).toEqual(keys.map(() => "1"));
}, 60_000);
