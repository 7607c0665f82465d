import { describe, expect, it, vi } from "vitest";
import { SteppedClock } from "../../test/stepped-clock.ts";
import { resolvePolicy } from "../cache-policy.ts";
import { GroupCounters } from "../group-stats.ts";
import { GroupMemory } from "./group-memory.ts";
import { SlicedWork } from "./sliced-work.ts";

const entries = 20_000;
const bytes = Buffer.from(JSON.stringify({ name: "alice" }));

function filledMemory() {
  const clock = new SteppedClock();
  const memory = new GroupMemory<unknown>({
    policy: resolvePolicy({ staleWhileRevalidateMs: 1000, staleIfErrorMs: 1000 }),
    clock,
    decoder: { decode: (value) => JSON.parse(Buffer.from(value).toString()), shared: true },
    counters: new GroupCounters(),
    slicedWork: new SlicedWork(clock),
  });
  const store = (key: string, tags: readonly string[], value: Buffer | undefined = bytes): void =>
    memory.store(key, { value, freshUntil: clock.now() + 100, hot: false, tags });
  for (let index = 0; index < entries; index++) store(`k${index}`, ["all", `tag ${index % 7}`]);
  store("other", ["other"]);
  return { memory, clock, store };
}

describe("the invalidation of a tag that many entries carry", () => {
  it("I2 hides all of them at once, read before or not, and removes them in later turns", async () => {
    const { memory, clock } = filledMemory();
    const sample = Array.from({ length: 100 }, (_, index) => `k${index * 199}`);
    for (const key of sample.slice(50)) expect(memory.peek(key)).toBeDefined();
    const other = memory.peek("other");
    memory.dropTagged("all");
    expect(memory.stats().main.items).toBeGreaterThan(entries / 2);
    for (const key of sample) {
      expect(memory.peek(key)).toBeUndefined();
      expect(memory.hit(key)).toBeUndefined();
      expect(memory.has(key)).toBe(false);
      expect(memory.copyForPeer(key)).toBeUndefined();
      expect(memory.copyForTransfer(key)).toBeUndefined();
      expect(memory.copyOnError(key)).toBeUndefined();
      expect(memory.staleHit(key)).toBeUndefined();
    }
    expect(memory.peek("other")).toBe(other);
    await clock.advance(1);
    expect(memory.stats().main).toMatchObject({ items: 1 });
    expect(memory.peek("other")).toBe(other);
    expect(clock.pendingCount).toBe(0);
  });

  it("I2 hides stale values as well", async () => {
    const { memory, clock } = filledMemory();
    await clock.advance(150);
    expect(memory.copyOnError("k1")).toBeDefined();
    memory.dropTagged("all");
    for (const key of ["k1", "k19999"]) {
      expect(memory.copyOnError(key)).toBeUndefined();
      expect(memory.staleHit(key)).toBeUndefined();
    }
  });

  it("keeps what is stored during the sweep, even if a second tag is invalidated meanwhile", async () => {
    const { memory, clock, store } = filledMemory();
    memory.dropTagged("tag 3");
    store("k3", ["all", "tag 3"]);
    expect(memory.peek("k3")).toEqual({ name: "alice" });
    memory.dropTagged("tag 4");
    expect(["k3", "k4", "k5", "k10"].map((key) => memory.has(key))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    await clock.advance(1);
    expect(memory.stats().main.items).toBe(Math.ceil((entries * 5) / 7) + 2);
    expect(memory.peek("k3")).toEqual({ name: "alice" });
  });

  it("hides negative entries, whose tags are unknown", () => {
    const { memory, store } = filledMemory();
    for (let index = 0; index < 3000; index++) store(`none${index}`, [""], undefined);
    memory.dropTagged("unused");
    expect(memory.has("none2999")).toBe(false);
    expect(memory.has("none0")).toBe(false);
    expect(memory.has("k0")).toBe(true);
  });

  it("ends when the memory is cleared during the sweep", async () => {
    const { memory, clock, store } = filledMemory();
    memory.dropTagged("all");
    memory.clear();
    store("new", ["all"]);
    expect(memory.stats().main.items).toBe(1);
    await clock.advance(1);
    expect(memory.peek("new")).toEqual({ name: "alice" });
    expect(clock.pendingCount).toBe(0);
  });

  it("removes a bounded number of entries in each turn", async () => {
    const { memory, clock } = filledMemory();
    const items = (): number => memory.stats().main.items;
    const before = items();
    memory.dropTagged("all");
    const first = items();
    expect(before - first).toBeLessThanOrEqual(64);
    const removed: number[] = [];
    const schedule = vi.spyOn(clock, "schedule");
    let last = first;
    schedule.mockImplementation((_delayMs, task) => {
      removed.push(last - items());
      last = items();
      queueMicrotask(task);
      return () => {};
    });
    await clock.advance(1);
    expect(items()).toBe(1);
    expect(removed.length).toBeGreaterThan(10);
    expect(Math.max(...removed)).toBeLessThanOrEqual(2048);
  });
});
