import { afterEach, describe, expect, it } from "vitest";
import { memoryRings, type TestRings } from "./test-rings.ts";
import { until } from "./until.ts";

let cluster: TestRings;
afterEach(() => cluster.close());

describe("a ring in one process", () => {
  it("serves all partitions with a single node", async () => {
    cluster = memoryRings();
    const a = await cluster.join("a");
    await cluster.settled(["a"]);
    expect(await a.put("k", "v")).toBe("1");
    expect(await a.get("k")).toBe("v");
    expect(a.ring.ownsKey("k")).toBe(true);
    expect(a.ring.nodeFor("k")).toBe("a");
    expect(a.hooks).toHaveLength(16);
  });

  it("shares partitions evenly, with a copy of each on another node", async () => {
    cluster = memoryRings();
    const [a, b, c] = await Promise.all(["a", "b", "c"].map((id) => cluster.join(id)));
    await cluster.settled(["a", "b", "c"]);
    const shares = cluster.rings.map(({ ring }) => ring.state().owned.length).sort();
    expect(shares).toEqual([5, 5, 6]);
    const keys = Array.from({ length: 50 }, (_, at) => `key ${at}`);
    await Promise.all(keys.map((key) => a?.put(key, `value of ${key}`)));
    for (const node of [a, b, c]) {
      const values = await Promise.all(keys.map((key) => node?.get(key)));
      expect(values).toEqual(keys.map((key) => `value of ${key}`));
    }
    const copies = cluster.rings.flatMap(({ state }) =>
      [...state.partitions.values()].flatMap((data) => [...data.keys()]),
    );
    expect(copies.sort()).toEqual([...keys, ...keys].sort());
  });

  it("moves data when a node joins and when one leaves", async () => {
    cluster = memoryRings();
    const a = await cluster.join("a");
    const keys = Array.from({ length: 60 }, (_, at) => `key ${at}`);
    await Promise.all(keys.map((key) => a.put(key, "1")));
    const b = await cluster.join("b");
    await cluster.settled(["a", "b"]);
    const c = await cluster.join("c");
    await cluster.settled(["a", "b", "c"]);
    expect(await Promise.all(keys.map((key) => c.get(key)))).toEqual(keys.map(() => "1"));
    await a.ring.leave();
    await cluster.settled(["b", "c"]);
    expect(await Promise.all(keys.map((key) => b.get(key)))).toEqual(keys.map(() => "1"));
    for (const { hooks } of cluster.rings) expect(hooks.join()).not.toContain("lost");
  });

  it("hands all partitions over, and routes requests until it leaves", async () => {
    cluster = memoryRings();
    const [a, b] = await Promise.all(["a", "b"].map((id) => cluster.join(id)));
    await cluster.settled(["a", "b"]);
    await a?.put("key", "1");
    await Promise.all([a?.ring.handOver(), a?.ring.handOver()]);
    expect(a?.ring.state()).toMatchObject({ status: "leaving", owned: [], leaseValid: true });
    expect(await a?.get("key")).toBe("1");
    await a?.put("key", "2");
    expect(await b?.get("key")).toBe("2");
    await a?.ring.leave();
    await cluster.settled(["b"]);
    expect(await b?.get("key")).toBe("2");
  });

  it("promotes backups when a node falls silent, and loses no acknowledged write", async () => {
    cluster = memoryRings();
    const [a, b, c] = await Promise.all(["a", "b", "c"].map((id) => cluster.join(id)));
    await cluster.settled(["a", "b", "c"]);
    const keys = Array.from({ length: 60 }, (_, at) => `key ${at}`);
    await Promise.all(keys.map((key) => b?.put(key, "1")));
    a?.cut();
    await cluster.settled(["b", "c"]);
    expect(await Promise.all(keys.map((key) => c?.get(key)))).toEqual(keys.map(() => "1"));
    expect(a?.ring.state().owned).toEqual([]);
    a?.heal();
    await cluster.settled(["a", "b", "c"]);
    expect(await Promise.all(keys.map((key) => a?.get(key)))).toEqual(keys.map(() => "1"));
    for (const { hooks } of cluster.rings) expect(hooks.join()).not.toContain("lost");
  });

  it("reports the lost partitions when there was only one copy", async () => {
    cluster = memoryRings({ replicas: 1 });
    const [a, b] = await Promise.all(["a", "b"].map((id) => cluster.join(id)));
    await cluster.settled(["a", "b"]);
    const owned = a?.ring.state().owned ?? [];
    expect(owned).toHaveLength(8);
    a?.cut();
    await cluster.settled(["b"]);
    const lost = b?.hooks.filter((hook) => hook.endsWith("lost"));
    expect(lost?.sort()).toEqual(owned.map((partition) => `own ${partition} lost`).sort());
    expect(a?.hooks.filter((hook) => hook.startsWith("release"))).toEqual([]);
    a?.heal();
    await until(() => a?.hooks.filter((hook) => hook.startsWith("release")).length === 8);
  });

  it("refuses requests at once while the node is cut off and its lease has ended", async () => {
    cluster = memoryRings({ requestTimeoutMs: 86_400_000 });
    const [a, b] = await Promise.all(["a", "b"].map((id) => cluster.join(id)));
    await cluster.settled(["a", "b"]);
    const key = Array.from({ length: 99 }, (_, at) => `key ${at}`).find((each) => {
      return a?.ring.nodeFor(each) === "a";
    }) as string;
    await a?.put(key, "1");
    a?.cut();
    const refusal = {
      code: "PEER_UNREACHABLE",
      message: expect.stringMatching(/^this node has no lease: .*; the request was not executed$/),
    };
    // Requests that wait are answered as well.
    await cluster.settled(["b"]);
    await expect(a?.get(key)).rejects.toMatchObject(refusal);
    await expect(a?.put(key, "2")).rejects.toMatchObject(refusal);
    a?.heal();
    await cluster.settled(["a", "b"]);
    expect(await a?.get(key)).toBe("1");
    expect(await b?.get(key)).toBe("1");
  });
});
