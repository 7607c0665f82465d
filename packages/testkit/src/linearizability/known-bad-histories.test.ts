import { describe, expect, it } from "vitest";
import { checkLinearizable } from "./check-linearizable.ts";
import type { RegisterOperation } from "./register-operation.ts";

type Interval = readonly [startedAt: number, endedAt: number | undefined];

const common = ([startedAt, endedAt]: Interval) => ({
  client: `c${startedAt}`,
  key: "k",
  startedAt,
  endedAt,
  ok: endedAt !== undefined,
});
const set = (value: string, at: Interval): RegisterOperation => ({
  ...common(at),
  kind: "set",
  value,
});
const get = (value: string | undefined, at: Interval): RegisterOperation => ({
  ...common(at),
  kind: "get",
  value,
});
const remove = (found: boolean | undefined, at: Interval): RegisterOperation => ({
  ...common(at),
  kind: "delete",
  found,
});
const refused = (operation: RegisterOperation): RegisterOperation => ({ ...operation, ok: false });

const bad: Record<string, RegisterOperation[]> = {
  "a stale read after an acknowledged write": [
    set("a", [0, 1]),
    set("b", [2, 3]),
    get("a", [4, 5]),
  ],
  "an acknowledged write that is lost": [set("a", [0, 1]), get(undefined, [2, 3])],
  "a deleted value that is read again": [set("a", [0, 1]), remove(true, [2, 3]), get("a", [4, 5])],
  "reads that alternate between two owners": [
    set("a", [0, 1]),
    set("b", [2, 9]),
    get("b", [3, 4]),
    get("a", [5, 6]),
  ],
  "a late retry that writes a second time": [
    set("a", [0, 20]),
    get("a", [1, 2]),
    set("b", [3, 4]),
    get("b", [5, 6]),
    get("a", [7, 8]),
  ],
  "a read from the future": [get("a", [0, 1]), set("a", [2, 3])],
  "a read of a value that was never written": [get("a", [0, 1])],
  "a refused write that took effect": [refused(set("a", [0, 1])), get("a", [2, 3])],
  "a write without an answer that took effect twice": [
    set("a", [0, undefined]),
    get("a", [1, 2]),
    set("b", [3, 4]),
    get("b", [5, 6]),
    get("a", [7, 8]),
  ],
  "a write without an answer that was read before its start": [
    get("a", [0, 1]),
    set("a", [2, undefined]),
  ],
  "two reads that saw a write without an answer appear and disappear": [
    set("a", [0, 1]),
    set("b", [2, undefined]),
    get("b", [3, 4]),
    get("a", [5, 6]),
  ],
  "a removal that found a value already removed": [
    set("a", [0, 1]),
    remove(true, [2, 3]),
    remove(true, [4, 5]),
  ],
  "a removal that found nothing although a value was set": [
    set("a", [0, 1]),
    remove(false, [2, 3]),
  ],
};

const good: Record<string, RegisterOperation[]> = {
  "no operations": [],
  "reads before and after the effect of an overlapping write": [
    set("a", [0, 1]),
    set("b", [2, 9]),
    get("a", [3, 4]),
    get("b", [5, 6]),
  ],
  "a late read of a write without an answer": [
    set("a", [0, 1]),
    set("b", [2, undefined]),
    get("a", [100, 101]),
    get("b", [200, 201]),
  ],
  "a write without an answer that took no effect": [
    set("a", [0, 1]),
    set("b", [2, undefined]),
    get("a", [100, 101]),
  ],
  "a removal without an answer that takes effect late": [
    set("a", [0, 1]),
    remove(undefined, [2, undefined]),
    get("a", [3, 4]),
    set("b", [5, 6]),
    get(undefined, [7, 8]),
  ],
  "a refused write that is not read": [
    set("a", [0, 1]),
    refused(set("b", [2, 3])),
    get("a", [4, 5]),
  ],
  "a read without an answer": [get("z", [0, undefined])],
  "a removal that found a write without an answer": [
    set("a", [0, undefined]),
    remove(true, [1, 2]),
    remove(false, [3, 4]),
  ],
  "operations with equal end and start, which may have overlapped": [
    get("a", [0, 1]),
    set("a", [1, 2]),
  ],
  "the same value written twice": [
    set("a", [0, 1]),
    get("a", [2, 3]),
    set("b", [4, 5]),
    set("a", [6, 7]),
    get("a", [8, 9]),
  ],
};

describe("a violation is found in", () => {
  it.each(Object.entries(bad))("%s", (_, history) => {
    expect(checkLinearizable(history).verdict).toBe("violated");
    expect(checkLinearizable(history.toReversed()).verdict).toBe("violated");
  });
});

describe("no violation is found in", () => {
  it.each(Object.entries(good))("%s", (_, history) => {
    expect(checkLinearizable(history).verdict).toBe("linearizable");
    expect(checkLinearizable(history.toReversed()).verdict).toBe("linearizable");
  });
});
