import { expect, test } from "vitest";
import { CacheData } from "./cache-data.ts";
import { createMemoryLimit } from "./memory-limit.ts";

const half = "x".repeat(500 * 1024);
const refused = expect.objectContaining({
  code: "OVERLOADED",
  message: expect.stringContaining("0 of 1 MiB are in use (--max-mib)"),
});

test("a value beyond the limit is refused, unless it replaces a larger one", () => {
  const data = new CacheData(() => 0);
  const admit = createMemoryLimit(data, 1);
  data.set(0, { key: "a", value: half, expiresAtMs: 0 });
  admit(1, { key: "b", value: half });
  data.set(1, { key: "b", value: half, expiresAtMs: 0 });
  expect(() => admit(1, { key: "c", value: half })).toThrow(refused);
  admit(1, { key: "b", value: half });
  admit(1, { key: "b", value: "" });
  data.delete(0, "a");
  admit(1, { key: "c", value: half });
});

test("expired entries make room", () => {
  let nowMs = 0;
  const data = new CacheData(() => nowMs);
  const admit = createMemoryLimit(data, 1);
  for (const key of ["a", "b"]) data.set(0, { key, value: half, expiresAtMs: 10 });
  expect(() => admit(0, { key: "c", value: half })).toThrow(refused);
  nowMs = 10;
  admit(0, { key: "c", value: half });
  expect(data.heldBytes).toBe(0);
});

test("an expired value of the same key does not count as room", () => {
  let nowMs = 0;
  const data = new CacheData(() => nowMs);
  const admit = createMemoryLimit(data, 1);
  data.set(0, { key: "a", value: half, expiresAtMs: 10 });
  data.set(0, { key: "b", value: half, expiresAtMs: 0 });
  nowMs = 10;
  expect(() => admit(0, { key: "a", value: "x".repeat(600 * 1024) })).toThrow(refused);
  admit(0, { key: "a", value: half });
});

test("the memory in use is counted correctly, however entries are added and removed", () => {
  let nowMs = 0;
  const data = new CacheData(() => nowMs);
  const record = { key: "a", value: "1234", expiresAtMs: 5 };
  data.set(0, record);
  const one = data.heldBytes;
  expect(data.growthBy(0, record)).toBe(0);
  expect(data.growthBy(1, record)).toBe(one);
  data.set(0, { ...record, value: "12" });
  expect(data.heldBytes).toBe(one - 2);
  data.replace(1, [record, { ...record, key: "b" }]);
  expect(data.heldBytes).toBe(3 * one - 2);
  data.drop(1);
  expect(data.heldBytes).toBe(one - 2);
  nowMs = 5;
  expect(data.get(0, "a")).toBeUndefined();
  expect(data.heldBytes).toBe(0);
});
