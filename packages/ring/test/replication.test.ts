import { afterEach, describe, expect, it } from "vitest";
import { createMemoryHub, type Link, type RingOptions } from "../src/index.ts";
import { createMapState } from "./map-state.ts";
import { memoryRings, type TestRing, type TestRings } from "./test-rings.ts";
import { until } from "./until.ts";

let cluster: TestRings;
afterEach(() => cluster.close());

/** A link whose node can be muted: it answers no request, but goes on renewing its lease. */
function mutable(link: Link): { readonly link: Link; mute: boolean } {
  const made = {
    mute: false,
    link: {
      address: link.address,
      serve: (handler) =>
        link.serve(async (request) => {
          if (made.mute) return new Promise<Uint8Array>(() => {});
          return handler(request);
        }),
      request: (address, body, options) => link.request(address, body, options),
      abandon: (address) => link.abandon(address),
      close: () => link.close(),
    } satisfies Link,
  };
  return made;
}

/** Two nodes, of which the second can be muted, and a key that the first one owns. */
async function pair(): Promise<{
  readonly a: TestRing;
  readonly b: TestRing;
  readonly key: string;
  readonly link: { mute: boolean };
}> {
  const hub = createMemoryHub();
  cluster = memoryRings({}, hub);
  const { coordinator, link } = hub.seat();
  const muted = mutable(link);
  const a = await cluster.join("a");
  const b = await cluster.join("b", { coordinator, link: muted.link });
  await cluster.settled(["a", "b"]);
  const keys = Array.from({ length: 50 }, (_, at) => `key ${at}`);
  const key = keys.find((each) => a.ring.nodeFor(each) === "a") as string;
  return { a, b, key, link: muted };
}

describe("replication", () => {
  it("removes a silent backup from the table before it acknowledges a write without it", async () => {
    const { a, b, key, link } = await pair();
    const partition = a.ring.partitionFor(key);
    await a.put(key, "1");
    expect(b.ring.state().backupOf).toContain(partition);
    link.mute = true;
    await a.put(key, "2");
    // At the moment of the acknowledgement, the table does not list it any more.
    expect(a.ring.state().members.find(({ id }) => id === "b")?.backups).toBeLessThan(8);
    expect(b.state.partitions.get(partition)?.get(key)).toBe("1");
    expect(a.events).toContainEqual({ type: "backup-dropped", partition, ids: ["b"] });
    link.mute = false;
    await cluster.settled(["a", "b"]);
    expect(b.state.partitions.get(partition)?.get(key)).toBe("2");
  });

  it("reports lost data instead of serving older data than an acknowledged write", async () => {
    const { a, b, key, link } = await pair();
    await a.put(key, "1");
    link.mute = true;
    await a.put(key, "2");
    a.cut();
    await until(() => b.ring.ownsKey(key));
    expect(b.hooks).toContain(`own ${b.ring.partitionFor(key)} lost`);
    link.mute = false;
    expect(await b.get(key)).toBe("");
  });

  it("answers stale reads from a backup, and other reads from the owner only", async () => {
    const { a, b, key } = await pair();
    await a.put(key, "1");
    a.cut();
    expect(await b.get(key, { staleOk: true })).toBe("1");
    expect(b.ring.ownsKey(key)).toBe(false);
    await until(() => b.ring.ownsKey(key));
    expect(await b.get(key)).toBe("1");
  });

  it("reports an error of the application to the writer, and continues alike on all copies", async () => {
    const { a, b, key } = await pair();
    const partition = a.ring.partitionFor(key);
    await expect(b.put(key, "refused")).rejects.toMatchObject({
      code: "ORIGIN_FAILED",
      message: "the application does not want it",
    });
    expect(await b.put(key, "2")).toBe("2");
    expect(a.state.positions.get(partition)).toEqual(b.state.positions.get(partition));
  });

  it("continues from the most advanced of three copies", async () => {
    cluster = memoryRings({ replicas: 3 });
    const [a, b, c] = await Promise.all(["a", "b", "c"].map((id) => cluster.join(id)));
    await cluster.settled(["a", "b", "c"]);
    const keys = Array.from({ length: 40 }, (_, at) => `key ${at}`);
    for (const value of ["1", "2", "3"]) await Promise.all(keys.map((key) => a?.put(key, value)));
    a?.cut();
    await cluster.settled(["b", "c"]);
    expect(await Promise.all(keys.map((key) => c?.get(key)))).toEqual(keys.map(() => "3"));
    expect(b?.hooks.join()).not.toContain("lost");
  });

  it("recovers the data when the store was deleted", async () => {
    const hub = createMemoryHub({ mayForget: true });
    cluster = memoryRings({}, hub);
    const [a, b] = await Promise.all(["a", "b"].map((id) => cluster.join(id)));
    await cluster.settled(["a", "b"]);
    const keys = Array.from({ length: 40 }, (_, at) => `key ${at}`);
    await Promise.all(keys.map((key) => a?.put(key, "1")));
    const { incarnation } = a?.ring.state() ?? {};
    hub.wipe();
    expect(a?.ring.state().owned).toEqual([]);
    await cluster.settled(["a", "b"]);
    expect(a?.ring.state().incarnation).not.toBe(incarnation);
    expect(await Promise.all(keys.map((key) => b?.get(key)))).toEqual(keys.map(() => "1"));
  });
});

describe("a restart", () => {
  it("calls onOwn again, though the node has the same name", async () => {
    cluster = memoryRings({ replicas: 1 });
    const a = await cluster.join("a");
    await cluster.settled(["a"]);
    await a.ring.close();
    expect(a.hooks.filter((hook) => hook.startsWith("release"))).toHaveLength(16);
    const again = await cluster.join("a");
    await until(() => again.ring.state().owned.length === 16);
    expect(again.hooks.sort()).toEqual(
      Array.from({ length: 16 }, (_, partition) => `own ${partition} lost`).sort(),
    );
  });

  it("of all nodes restores durable state", async () => {
    const states = new Map(["a", "b"].map((id) => [id, createMapState()]));
    const kept = (id: string): Partial<RingOptions> => {
      const state = states.get(id) ?? createMapState();
      return { durable: true, state: { ...state, position: (each) => state.positions.get(each) } };
    };
    cluster = memoryRings({ rejoinGraceMs: 5000 });
    const [a, b] = await Promise.all(["a", "b"].map((id) => cluster.join(id, kept(id))));
    await cluster.settled(["a", "b"]);
    const keys = Array.from({ length: 40 }, (_, at) => `key ${at}`);
    await Promise.all(keys.map((key) => a?.put(key, "1")));
    await Promise.all([a?.ring.close(), b?.ring.close()]);
    const again = await Promise.all(["b", "a"].map((id) => cluster.join(id, kept(id))));
    await until(() => again.every(({ ring }) => ring.state().underReplicated === 0));
    expect(await Promise.all(keys.map((key) => again[0]?.get(key)))).toEqual(keys.map(() => "1"));
    for (const { hooks } of again) expect(hooks.join()).not.toContain("lost");
  });

  it.each(["close", "leave"] as const)(
    "of the only node, after %s, brings back what its durable state has kept",
    async (end) => {
      const state = createMapState();
      const kept = {
        durable: true,
        state: { ...state, position: (each: number) => state.positions.get(each) },
      };
      cluster = memoryRings({ rejoinGraceMs: 5000 });
      const a = await cluster.join("a", kept);
      await cluster.settled(["a"]);
      const keys = Array.from({ length: 40 }, (_, at) => `key ${at}`);
      await Promise.all(keys.map((key) => a.put(key, "1")));
      await a.ring[end]();
      const again = await cluster.join("a", kept);
      await cluster.settled(["a"]);
      expect(await Promise.all(keys.map((key) => again.get(key)))).toEqual(keys.map(() => "1"));
      expect(again.hooks.join()).not.toContain("lost");
    },
  );
});
