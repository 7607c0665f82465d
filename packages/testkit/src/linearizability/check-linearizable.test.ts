import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { atomicHistories, runAtomicRegister } from "../../test/register-histories.ts";
import { checkLinearizable } from "./check-linearizable.ts";
import type { GetOperation, RegisterOperation, SetOperation } from "./register-operation.ts";

/** Expects a violation in each history that `spoil` could change. */
function expectFound(
  histories: fc.Arbitrary<RegisterOperation[]>,
  spoil: (history: RegisterOperation[]) => RegisterOperation[] | undefined,
): void {
  let spoilt = 0;
  fc.assert(
    fc.property(histories, (history) => {
      const mutated = spoil(history);
      fc.pre(mutated !== undefined);
      spoilt += 1;
      const report = checkLinearizable(mutated);
      expect(report.verdict).toBe("violated");
      const explained = report.violations.flatMap(({ operations }) => operations);
      expect(checkLinearizable(explained).verdict).toBe("violated");
      expect(explained.length).toBeLessThanOrEqual(5);
    }),
    { numRuns: 300, seed: 11 },
  );
  expect(spoilt).toBe(300);
}

const isAcknowledged = ({ ok, endedAt }: RegisterOperation): boolean => ok && endedAt !== undefined;
const isSet = (one: RegisterOperation): one is SetOperation => one.kind === "set";
const isGet = (one: RegisterOperation): one is GetOperation => one.kind === "get";
const precedes = (one: RegisterOperation, other: RegisterOperation): boolean =>
  one.endedAt !== undefined && one.endedAt < other.startedAt;

function replace(
  history: readonly RegisterOperation[],
  replacements: ReadonlyMap<RegisterOperation, RegisterOperation>,
): RegisterOperation[] {
  return history.map((one) => replacements.get(one) ?? one);
}

/** The first three consecutive acknowledged operations that satisfy the three predicates. */
function findChain<A extends RegisterOperation, B extends RegisterOperation>(
  history: readonly RegisterOperation[],
  fits: readonly [(one: RegisterOperation) => one is A, (one: RegisterOperation) => one is B],
): { first: A; second: B; read: GetOperation } | undefined {
  const acknowledged = history.filter(isAcknowledged);
  for (const first of acknowledged.filter(fits[0])) {
    for (const second of acknowledged.filter(fits[1])) {
      if (!precedes(first, second)) continue;
      const read = acknowledged.filter(isGet).find((one) => precedes(second, one));
      if (read !== undefined) return { first, second, read };
    }
  }
  return undefined;
}

describe("checkLinearizable", () => {
  it("accepts what clients of an atomic register record", () => {
    fc.assert(
      fc.property(atomicHistories({ keyCount: 3 }), (history) => {
        const report = checkLinearizable(history);
        expect(report).toMatchObject({ verdict: "linearizable", violations: [] });
      }),
      { numRuns: 2000, seed: 7 },
    );
  });

  it("decides 20,000 operations on 100 keys with about one point per operation", () => {
    const history = runAtomicRegister(2, {
      operationCount: 20_000,
      keyCount: 100,
      maxDurationMs: 1500,
      hasDeletes: true,
    });
    const report = checkLinearizable(history);
    expect(report).toMatchObject({
      verdict: "linearizable",
      operationCount: 20_000,
      keyCount: 100,
    });
    expect(report.pointCount).toBeLessThan(100_000);
  }, 20_000);

  it("decides one key with many concurrent clients", () => {
    const history = runAtomicRegister(3, { operationCount: 3000, maxDurationMs: 60 });
    expect(checkLinearizable(history).verdict).toBe("linearizable");
  }, 20_000);

  it("finds a read of a value that was overwritten before", () => {
    expectFound(atomicHistories({ hasDeletes: false }), (history) => {
      const chain = findChain(history, [isSet, isSet]);
      if (chain === undefined) return undefined;
      return replace(history, new Map([[chain.read, { ...chain.read, value: chain.first.value }]]));
    });
  });

  it("finds an acknowledged write that was lost", () => {
    expectFound(atomicHistories({ hasDeletes: false }), (history) => {
      const chain = findChain(history, [isSet, isSet]);
      if (chain === undefined) return undefined;
      return replace(history, new Map([[chain.read, { ...chain.read, value: undefined }]]));
    });
  });

  it("finds a deleted value that is read again", () => {
    const isDelete = (one: RegisterOperation): one is RegisterOperation & { kind: "delete" } =>
      one.kind === "delete";
    expectFound(atomicHistories({ hasDeletes: true }), (history) => {
      const chain = findChain(history, [isSet, isDelete]);
      if (chain === undefined) return undefined;
      return replace(history, new Map([[chain.read, { ...chain.read, value: chain.first.value }]]));
    });
  });

  it("finds reads that alternate between the values of two owners", () => {
    expectFound(atomicHistories(), (history) => {
      const end = Math.max(...history.map(({ startedAt, endedAt }) => endedAt ?? startedAt));
      const at = (index: number) => ({
        client: `owner ${index % 2}`,
        key: "k0",
        startedAt: end + index + 1,
        endedAt: end + index + 1.5,
        ok: true,
      });
      return [
        ...history,
        { ...at(0), kind: "set", value: "one" },
        { ...at(1), kind: "set", value: "two" },
        { ...at(2), kind: "get", value: "one" },
        { ...at(3), kind: "get", value: "two" },
      ];
    });
  });

  it("finds two reads that saw two writes in the wrong order", () => {
    expectFound(atomicHistories({ lostShare: 0 }), (history) => {
      const acknowledged = history.filter(isAcknowledged);
      const writerOf = (read: GetOperation) =>
        acknowledged.filter(isSet).find(({ value }) => value === read.value);
      for (const first of acknowledged.filter(isGet)) {
        for (const second of acknowledged.filter(isGet)) {
          const [older, newer] = [writerOf(first), writerOf(second)];
          if (older === undefined || newer === undefined || !precedes(first, second)) continue;
          if (!precedes(older, newer)) continue;
          return replace(
            history,
            new Map([
              [first, { ...first, value: second.value }],
              [second, { ...second, value: first.value }],
            ]),
          );
        }
      }
      return undefined;
    });
  });

  it("finds a read of a value that was never written", () => {
    expectFound(atomicHistories(), (history) => {
      const read = history.filter(isAcknowledged).find(isGet);
      if (read === undefined) return undefined;
      return replace(history, new Map([[read, { ...read, value: "never written" }]]));
    });
  });

  it("finds a read of a value before it was written", () => {
    expectFound(atomicHistories(), (history) => {
      const acknowledged = history.filter(isAcknowledged);
      for (const read of acknowledged.filter(isGet)) {
        const late = acknowledged.filter(isSet).find((set) => precedes(read, set));
        if (late === undefined) continue;
        return replace(history, new Map([[read, { ...read, value: late.value }]]));
      }
      return undefined;
    });
  });

  it("reports each violated key, and continues with the next", () => {
    const good = runAtomicRegister(5, { operationCount: 300, keyCount: 10 });
    const bad = ["x", "y"].map(
      (key): RegisterOperation => ({
        client: "c",
        key,
        kind: "get",
        value: "from nowhere",
        startedAt: 1,
        endedAt: 2,
        ok: true,
      }),
    );
    const report = checkLinearizable([...good, ...bad]);
    expect(report.violations.map(({ key }) => key)).toEqual(["x", "y"]);
    expect(checkLinearizable([...good, ...bad], { maxViolations: 1 }).violations).toHaveLength(1);
  });

  it("is undecided after maxPointsPerKey points", () => {
    const history = runAtomicRegister(6, { operationCount: 200, maxDurationMs: 40 });
    const report = checkLinearizable(history, { maxPointsPerKey: 10 });
    expect(report).toMatchObject({ verdict: "undecided", undecidedKeys: ["k0"], violations: [] });
  });

  it("is undecided, and does not try every order, when there are too many", () => {
    // Forty overlapping writes, each read by a read that overlaps all of them: every order is possible,
    // except that one read comes too late for its value.
    const all = { client: "c", key: "k", startedAt: 0, endedAt: 100, ok: true };
    const overlapping = Array.from({ length: 40 }, (_, index): RegisterOperation[] => [
      { ...all, kind: "set", value: `v${index}` },
      { ...all, kind: "get", value: `v${index}` },
    ]).flat();
    const late: RegisterOperation[] = [
      { ...all, kind: "set", value: "last", startedAt: 101, endedAt: 102 },
      { ...all, kind: "get", value: "v0", startedAt: 103, endedAt: 104 },
    ];
    const report = checkLinearizable([...overlapping, ...late], { maxPointsPerKey: 20_000 });
    expect(report.verdict).toBe("undecided");
  });

  it.each([
    { startedAt: 2, endedAt: 1 },
    { startedAt: Number.NaN, endedAt: 1 },
    { startedAt: 0, endedAt: Number.POSITIVE_INFINITY },
  ])("refuses an operation from $startedAt to $endedAt", (times) => {
    const operation: RegisterOperation = { client: "c", key: "k", kind: "get", ok: true, ...times };
    expect(() => checkLinearizable([operation])).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });

  it.each([0, 1.5, Number.NaN])("rejects a maxPointsPerKey of %s", (maxPointsPerKey) => {
    expect(() => checkLinearizable([], { maxPointsPerKey })).toThrow(/maxPointsPerKey/);
  });
});
