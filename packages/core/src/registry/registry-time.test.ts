import { expect, it, onTestFinished, vi } from "vitest";
import { createDataSourceRegistry } from "./registry.ts";

it("a value expires in a loop of awaited hits that never yields to timers", async () => {
  let fetches = 0;
  const rate = createDataSourceRegistry().register(
    { name: "rate", cacheKey: () => "eur", fetch: async () => ++fetches },
    { ttlMs: 5, ttlJitter: 0 },
  );
  // Ends only if the value expires.
  while (fetches < 4) await rate.get({});
  expect(await rate.get({})).toBeGreaterThanOrEqual(4);
});

it("a value expires during synchronous work", async () => {
  const rate = createDataSourceRegistry().register(
    { name: "rate", cacheKey: () => "eur", fetch: async () => 1 },
    { ttlMs: 5, ttlJitter: 0 },
  );
  await rate.get({});
  const until = performance.now() + 6;
  while (performance.now() < until);
  expect(rate.peek({})).toBeUndefined();
});

it("keeps the process alive while a get is under way, and not before or after", async () => {
  const intervals = vi.spyOn(globalThis, "setInterval");
  onTestFinished(() => intervals.mockRestore());
  const aliveTimers = (): number =>
    intervals.mock.results.filter(({ value }) => value.hasRef()).length;
  const registry = createDataSourceRegistry();
  let answer: (value: string) => void = () => {};
  const source = registry.register(
    {
      name: "s",
      cacheKey: (id: string) => id,
      fetch: () =>
        new Promise<string>((resolve) => {
          answer = resolve;
        }),
    },
    { timeoutMs: 50 },
  );
  expect(aliveTimers()).toBe(0);
  const [one, other] = [source.get("a"), source.get("a")];
  expect(aliveTimers()).toBe(1);
  answer("data");
  await Promise.all([one, other]);
  expect(aliveTimers()).toBe(0);
  // A load that times out, and one whose only caller aborts.
  await expect(source.get("b")).rejects.toMatchObject({ code: "TIMEOUT" });
  const caller = new AbortController();
  const aborted = source.get("c", { signal: caller.signal });
  expect(aliveTimers()).toBe(1);
  caller.abort();
  await expect(aborted).rejects.toMatchObject({ code: "ABORTED" });
  expect(aliveTimers()).toBe(0);
  const closed = source.get("d");
  await registry.close();
  await expect(closed).rejects.toMatchObject({ code: "CLOSED" });
  expect(aliveTimers()).toBe(0);
});
