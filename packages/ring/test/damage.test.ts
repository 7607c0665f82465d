import { afterEach, describe, expect, it } from "vitest";
import { createMemoryHub, type PartitionState, type Position } from "../src/index.ts";
import { createMapState } from "./map-state.ts";
import { memoryRings, type TestRings } from "./test-rings.ts";
import { until } from "./until.ts";

let cluster: TestRings;
afterEach(() => cluster.close());

/** Durable data as a node finds it when it starts: sound, damaged in one partition, or none. */
function found(
  values: ReadonlyMap<string, string>,
  at: { readonly partition: number; readonly position?: Position; readonly damagedAt?: Position },
): PartitionState {
  const { partition, position, damagedAt } = at;
  const state = createMapState();
  if (position !== undefined) state.partitions.set(partition, new Map(values));
  return {
    ...state,
    position: (asked) => (asked === partition ? position : undefined),
    damagedAt: (asked) => (asked === partition ? damagedAt : undefined),
  };
}

const values = new Map([["key", "1"]]);
const durable = { durable: true, partitions: 1, rejoinGraceMs: 60_000 } as const;
const partition = 0;

describe("a node whose stored data is damaged", () => {
  it("takes the copy of another node", async () => {
    cluster = memoryRings(durable);
    const damaged = found(values, { partition, damagedAt: { epoch: 3, seq: 5 } });
    const sound = found(values, { partition, position: { epoch: 3, seq: 5 } });
    const [a, b] = await Promise.all([
      cluster.join("a", { state: damaged }),
      cluster.join("b", { state: sound }),
    ]);
    await cluster.settled(["a", "b"]);
    expect(await a.get("key")).toBe("1");
    expect(await b.get("key")).toBe("1");
    expect(a.events.concat(b.events).filter(({ type }) => type === "damaged")).toEqual([]);
  });

  it("does not serve the partition while no node has a sound copy, and says why", async () => {
    cluster = memoryRings(durable, createMemoryHub());
    const damaged = found(values, { partition, damagedAt: { epoch: 3, seq: 5 } });
    const a = await cluster.join("a", { state: damaged });
    await until(() => a.events.some(({ type }) => type === "damaged"));
    const refusal = {
      code: "PEER_UNREACHABLE",
      message: expect.stringMatching(/^partition 0 is not served: its stored data is damaged/),
    };
    await expect(a.get("key")).rejects.toMatchObject(refusal);
    await expect(a.put("key", "2")).rejects.toMatchObject(refusal);
    expect(a.ring.state()).toMatchObject({
      owned: [],
      notServing: [{ partition, phase: "recovering", stuck: expect.stringContaining("damaged") }],
    });
    // An older copy does not replace what was acknowledged.
    const older = found(new Map([["key", "0"]]), { partition, position: { epoch: 3, seq: 4 } });
    const b = await cluster.join("b", { state: older });
    await expect(b.get("key")).rejects.toMatchObject(refusal);
    const sound = found(values, { partition, position: { epoch: 3, seq: 5 } });
    await cluster.join("c", { state: sound });
    await until(() => a.ring.state().notServing.length === 0);
    expect(await a.get("key")).toBe("1");
  });
});
