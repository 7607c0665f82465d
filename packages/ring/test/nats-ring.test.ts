import { describeOnServers } from "@parsec/nats-fixtures";
import { afterEach, expect, it } from "vitest";
import { natsRings, type TestRings } from "./test-rings.ts";

let cluster: TestRings | undefined;
afterEach(() => cluster?.close());

describeOnServers((server) => {
  it("shares partitions, keeps copies, and moves data when nodes come and go", async () => {
    cluster = natsRings(server.url);
    const [a, b] = await Promise.all(["a", "b"].map((id) => cluster?.join(id)));
    await cluster.settled(["a", "b"]);
    const keys = Array.from({ length: 60 }, (_, at) => `key ${at}`);
    await Promise.all(keys.map((key) => a?.put(key, `value of ${key}`)));
    const values = keys.map((key) => `value of ${key}`);
    expect(await Promise.all(keys.map((key) => b?.get(key)))).toEqual(values);
    const c = await cluster.join("c");
    await cluster.settled(["a", "b", "c"]);
    expect(await Promise.all(keys.map((key) => c.get(key)))).toEqual(values);
    await a?.ring.leave();
    await cluster.settled(["b", "c"]);
    expect(await Promise.all(keys.map((key) => b?.get(key)))).toEqual(values);
    for (const { hooks } of cluster.rings) expect(hooks.join()).not.toContain("lost");
  }, 20_000);

  it("transfers payloads that are longer than one message", async () => {
    // The payloads keep this process busy, and the test is not about leases.
    cluster = natsRings(server.url, { leaseMs: 5000 });
    const [a, b] = await Promise.all(["a", "b"].map((id) => cluster?.join(id)));
    await cluster.settled(["a", "b"]);
    const long = "x".repeat(3_000_000);
    const keys = ["key 1", "key 2", "key 3", "key 4"];
    await Promise.all(keys.map((key) => a?.put(key, long)));
    for (const key of keys) expect(await b?.get(key)).toBe(long);
    const c = await cluster.join("c");
    await cluster.settled(["a", "b", "c"]);
    for (const key of keys) expect(await c.get(key)).toBe(long);
  }, 60_000);
});
