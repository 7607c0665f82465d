import { afterEach, describe, expect, it } from "vitest";
import { memoryRings, type TestRing, type TestRings } from "./test-rings.ts";
import { until } from "./until.ts";

let cluster: TestRings;
afterEach(() => cluster.close());

const keys = Array.from({ length: 60 }, (_, at) => `key ${at}`);

async function readAll(node: TestRing): Promise<readonly string[]> {
  return Promise.all(keys.map((key) => node.get(key)));
}

/** Waits until the node sees all copies that the present nodes can hold, as a rolling restart does. */
function complete({ ring }: TestRing): Promise<void> {
  return until(() => ring.state().status === "active" && ring.state().incomplete === 0);
}

describe("a node that leaves", () => {
  it("waits for a node that takes its data when it has the only copy", async () => {
    cluster = memoryRings();
    const a = await cluster.join("a");
    await Promise.all(keys.map((key) => a.put(key, "1")));
    const leaving = a.ring.leave();
    const b = await cluster.join("b");
    expect(await leaving).toEqual({ unmoved: [], onlyHere: [] });
    expect(await readAll(b)).toEqual(keys.map(() => "1"));
    expect(b.hooks.join()).not.toContain("lost");
  });

  it("names the partitions whose data is lost when no node comes in time", async () => {
    cluster = memoryRings({ leaveTimeoutMs: 50 });
    const a = await cluster.join("a");
    await a.put("key", "1");
    expect(await a.ring.leave()).toEqual({
      unmoved: [],
      onlyHere: [a.ring.partitionFor("key")],
    });
  });

  it.each([
    ["has no data", {}, async () => {}, { unmoved: [], onlyHere: [] }],
    [
      "is told not to wait",
      { waitForOthers: false },
      async (a: TestRing) => void (await a.put("key 0", "1")),
      { unmoved: [], onlyHere: [expect.any(Number)] },
    ],
  ])("ends at once without other nodes when it %s", async (_name, options, prepare, report) => {
    cluster = memoryRings({ leaveTimeoutMs: 86_400_000 });
    const a = await cluster.join("a");
    await prepare(a);
    expect(await a.ring.leave(options)).toEqual(report);
  });

  it("names what it could not hand over, though others have copies", async () => {
    cluster = memoryRings({ leaveTimeoutMs: 1 });
    const [a] = await Promise.all(["a", "b"].map((id) => cluster.join(id)));
    await cluster.settled(["a", "b"]);
    await Promise.all(keys.map((key) => a?.put(key, "1")));
    const owned = a?.ring.state().owned ?? [];
    const report = await a?.ring.leave({ signal: AbortSignal.abort() });
    expect(report?.onlyHere).toEqual([]);
    expect(report?.unmoved).toEqual(expect.arrayContaining([...owned]));
  });
});

describe("nodes that restart one after the other", () => {
  it.each([2, 3])(
    "lose no acknowledged write: %i nodes, gated by complete copies",
    async (size) => {
      cluster = memoryRings();
      const ids = ["a", "b", "c"].slice(0, size);
      const nodes = new Map<string, TestRing>();
      for (const id of ids) nodes.set(id, await cluster.join(id));
      await complete(nodes.get("a") as TestRing);
      const written = new Map<string, string>();
      for (let round = 0; round < 2 * size; round++) {
        const id = ids[round % size] as string;
        const writer = nodes.get(ids[(round + 1) % size] as string) as TestRing;
        await Promise.all([
          nodes.get(id)?.ring.leave(),
          ...keys.map(async (key) => {
            await writer.put(key, `${round}`);
            written.set(key, `${round}`);
          }),
        ]);
        nodes.set(id, await cluster.join(id));
        await complete(nodes.get(id) as TestRing);
        expect(await readAll(writer)).toEqual(keys.map((key) => written.get(key)));
      }
      for (const { hooks } of cluster.rings) expect(hooks.join()).not.toContain("lost");
    },
  );

  it.each([2, 3])(
    "lose no acknowledged write: %i nodes, of which the others still start",
    async (size) => {
      cluster = memoryRings();
      const ids = ["a", "b", "c"].slice(0, size);
      const nodes = new Map<string, Promise<TestRing>>();
      for (const id of ids) nodes.set(id, cluster.join(id));
      const first = await (nodes.get("a") as Promise<TestRing>);
      await Promise.all(nodes.values());
      await complete(first);
      await Promise.all(keys.map((key) => first.put(key, "1")));
      for (let round = 0; round < 3 * size; round++) {
        const id = ids[round % size] as string;
        const { ring } = await (nodes.get(id) as Promise<TestRing>);
        expect(await ring.leave()).toEqual({ unmoved: [], onlyHere: [] });
        nodes.set(id, cluster.join(id));
      }
      const [reader] = await Promise.all(nodes.values());
      expect(await readAll(reader as TestRing)).toEqual(keys.map(() => "1"));
    },
  );
});
