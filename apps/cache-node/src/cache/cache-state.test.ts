import fc from "fast-check";
import { expect, test } from "vitest";
import { CacheData } from "./cache-data.ts";
import { decodeAnswer } from "./cache-messages.ts";
import type { CacheOperation } from "./cache-operation.ts";
import { encodeOperation } from "./cache-operation.ts";
import { type CacheState, createCacheState } from "./cache-state.ts";

const context = { partition: 3, position: { epoch: 1, seq: 1 }, isOwner: true };

interface Copy {
  readonly state: CacheState;
  readonly data: CacheData;
  apply(operation: CacheOperation): Uint8Array | undefined;
  get(key: string): string | undefined;
}

function copyAt(now: () => number): Copy {
  const data = new CacheData(now);
  const state = createCacheState(data, "node-1");
  return {
    state,
    data,
    apply: (operation) =>
      state.apply(encodeOperation(operation), context) as Uint8Array | undefined,
    get(key) {
      const { node, existed, value } = decodeAnswer(
        state.read(Buffer.from(key), context.partition) as Uint8Array,
      );
      expect(node).toBe("node-1");
      return existed ? value : undefined;
    },
  };
}

async function* each(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

async function copyOf(from: Copy, to: Copy): Promise<void> {
  const pieces = [...(from.state.snapshot(context.partition) as Iterable<Uint8Array>)];
  await to.state.restore(each(pieces), context);
}

test("a delete returns whether there was a value, by the owner's clock", () => {
  const copy = copyAt(() => 0);
  const remove = (nowMs: number): boolean => {
    copy.apply({ kind: "set", key: "k", value: "v", expiresAtMs: 100 });
    return copy.apply({ kind: "delete", key: "k", nowMs })?.[0] === 1;
  };
  expect([remove(99), remove(100), remove(101)]).toEqual([true, false, false]);
  expect(copy.apply({ kind: "delete", key: "other", nowMs: 0 })?.[0]).toBe(0);
});

const key = fc.constantFrom("a", "b", "c", "ü\0", "");
const operation: fc.Arbitrary<CacheOperation> = fc.oneof(
  fc.record({
    kind: fc.constant("set" as const),
    key,
    value: fc.string(),
    expiresAtMs: fc.constantFrom(0, 10, 20, 30),
  }),
  fc.record({ kind: fc.constant("delete" as const), key, nowMs: fc.constantFrom(0, 15, 25) }),
);

test("copies with different clocks and sweeps agree on all entries that have not expired", async () => {
  const history = fc.array(operation, { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(history, fc.nat(40), fc.nat(40), async (operations, nowMs, copiedAt) => {
      let backupMs = 0;
      const owner = copyAt(() => nowMs);
      const backup = copyAt(() => backupMs);
      const late = copyAt(() => nowMs);
      for (const [index, each] of operations.entries()) {
        owner.apply(each);
        backup.apply(each);
        backupMs = Math.min(nowMs, backupMs + 1);
        backup.data.sweep(1);
        if (index === copiedAt) await copyOf(owner, late);
        else if (index > copiedAt) late.apply(each);
      }
      backupMs = nowMs;
      if (operations.length <= copiedAt) await copyOf(backup, late);
      for (const name of ["a", "b", "c", "ü\0", ""]) {
        expect(backup.get(name)).toBe(owner.get(name));
        expect(late.get(name)).toBe(owner.get(name));
      }
    }),
  );
});

test("a snapshot contains the lifetimes", async () => {
  let nowMs = 0;
  const [from, to] = [copyAt(() => nowMs), copyAt(() => nowMs)];
  from.apply({ kind: "set", key: "k", value: "v", expiresAtMs: 1000 });
  nowMs = 900;
  await copyOf(from, to);
  expect(to.get("k")).toBe("v");
  nowMs = 1000;
  expect(to.get("k")).toBeUndefined();
});

test("later changes are not visible in a snapshot", async () => {
  const [from, to] = [copyAt(() => 0), copyAt(() => 0)];
  for (let at = 0; at < 2000; at++) {
    from.apply({ kind: "set", key: String(at), value: "x".repeat(100), expiresAtMs: 0 });
  }
  const pieces: Uint8Array[] = [];
  for (const piece of from.state.snapshot(context.partition) as Iterable<Uint8Array>) {
    pieces.push(piece);
    from.apply({ kind: "set", key: "1999", value: "new", expiresAtMs: 0 });
    from.apply({ kind: "delete", key: "1998", nowMs: 0 });
  }
  expect(pieces.length).toBeGreaterThan(2);
  await to.state.restore(each(pieces), context);
  expect([to.get("1999"), to.get("1998")]).toEqual(["x".repeat(100), "x".repeat(100)]);
});

test("an incomplete copy leaves no entries, neither new nor old", async () => {
  const [from, to] = [copyAt(() => 0), copyAt(() => 0)];
  from.apply({ kind: "set", key: "new", value: "v", expiresAtMs: 0 });
  to.apply({ kind: "set", key: "old", value: "v", expiresAtMs: 0 });
  const [piece = new Uint8Array()] = from.state.snapshot(context.partition) as Iterable<Uint8Array>;
  await expect(to.state.restore(each([piece.subarray(0, -1)]), context)).rejects.toMatchObject({
    code: "MALFORMED_FRAME",
  });
  expect([to.get("old"), to.get("new")]).toEqual([undefined, undefined]);
  await copyOf(from, to);
  expect([to.get("old"), to.get("new")]).toEqual([undefined, "v"]);
});
