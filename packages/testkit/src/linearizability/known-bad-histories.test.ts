import { describe, expect, it } from "vitest";
import { checkLinearizable } from "./check-linearizable.ts";
import type { RegisterOperation } from "./register-operation.ts";

type Interval = readonly [startedAt: number, endedAt: number | undefined];

const told = ([startedAt, endedAt]: Interval) => ({
  client: `c${startedAt}`,
  key: "k",
  startedAt,
  endedAt,
  ok: endedAt !== undefined,
});
const set = (value: string, at: Interval): RegisterOperation => ({
  ...told(at),
  kind: "set",
  value,
});
const get = (value: string | undefined, at: Interval): RegisterOperation => ({
  ...told(at),
  kind: "get",
  value,
});
const remove = (found: boolean | undefined, at: Interval): RegisterOperation => ({
  ...told(at),
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
  "a deleted value that is back": [set("a", [0, 1]), remove(true, [2, 3]), get("a", [4, 5])],
  "two owners that answer in turn": [
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
  "a read of a value that nobody wrote": [get("a", [0, 1])],
  "a refused write that took effect all the same": [refused(set("a", [0, 1])), get("a", [2, 3])],
  "a write without an answer that took effect twice": [
    set("a", [0, undefined]),
    get("a", [1, 2]),
    set("b", [3, 4]),
    get("b", [5, 6]),
    get("a", [7, 8]),
  ],
  "a write without an answer that was seen before it was asked for": [
    get("a", [0, 1]),
    set("a", [2, undefined]),
  ],
  "an update that only one of two later readers saw, in the wrong order": [
    set("a", [0, 1]),
    set("b", [2, undefined]),
    get("b", [3, 4]),
    get("a", [5, 6]),
  ],
  "a removal that found what had been removed": [
    set("a", [0, 1]),
    remove(true, [2, 3]),
    remove(true, [4, 5]),
  ],
  "a removal that found nothing where there was something": [
    set("a", [0, 1]),
    remove(false, [2, 3]),
  ],
};

const good: Record<string, RegisterOperation[]> = {
  "nothing at all": [],
  "reads that see an overlapping write or not": [
    set("a", [0, 1]),
    set("b", [2, 9]),
    get("a", [3, 4]),
    get("b", [5, 6]),
  ],
  "a read of a write without an answer, long after": [
    set("a", [0, 1]),
    set("b", [2, undefined]),
    get("a", [100, 101]),
    get("b", [200, 201]),
  ],
  "a write without an answer that never was": [
    set("a", [0, 1]),
    set("b", [2, undefined]),
    get("a", [100, 101]),
  ],
  "a removal without an answer that comes late": [
    set("a", [0, 1]),
    remove(undefined, [2, undefined]),
    get("a", [3, 4]),
    set("b", [5, 6]),
    get(undefined, [7, 8]),
  ],
  "a refused write that is not seen": [
    set("a", [0, 1]),
    refused(set("b", [2, 3])),
    get("a", [4, 5]),
  ],
  "a read without an answer, whatever it says": [get("z", [0, undefined])],
  "a removal that found a write without an answer": [
    set("a", [0, undefined]),
    remove(true, [1, 2]),
    remove(false, [3, 4]),
  ],
  "operations that touch, and may have overlapped": [get("a", [0, 1]), set("a", [1, 2])],
  "the same value written twice": [
    set("a", [0, 1]),
    get("a", [2, 3]),
    set("b", [4, 5]),
    set("a", [6, 7]),
    get("a", [8, 9]),
  ],
};

describe("histories known to be bad", () => {
  it.each(Object.entries(bad))("%s", (_, history) => {
    expect(checkLinearizable(history).verdict).toBe("violated");
    expect(checkLinearizable(history.toReversed()).verdict).toBe("violated");
  });
});

describe("histories known to be good", () => {
  it.each(Object.entries(good))("%s", (_, history) => {
    expect(checkLinearizable(history).verdict).toBe("linearizable");
    expect(checkLinearizable(history.toReversed()).verdict).toBe("linearizable");
  });
});
