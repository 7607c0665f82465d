import { expect, it, vi } from "vitest";
import { createGroupCache } from "./group-cache.ts";

it("loads once for everyone and then answers from memory", async () => {
  const cache = createGroupCache();
  const load = vi.fn((key: string) => Promise.resolve(`value of ${key}`));
  const group = cache.group("g", { load });
  const values = await Promise.all(Array.from({ length: 100 }, () => group.get("k")));
  expect(load).toHaveBeenCalledTimes(1);
  for (const value of values) expect(Buffer.from(value ?? []).toString()).toBe("value of k");
  expect(group.stats()).toMatchObject({ gets: 100, loads: 100, loadsDeduped: 1, cacheHits: 0 });
  await group.get("k");
  expect(group.stats()).toMatchObject({ gets: 101, cacheHits: 1 });
  await group.invalidate("k");
  expect(group.peek("k")).toBeUndefined();
  await cache.close();
});
