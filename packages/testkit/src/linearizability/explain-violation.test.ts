import { describe, expect, it } from "vitest";
import { runAtomicRegister } from "../../test/register-histories.ts";
import { checkLinearizable } from "./check-linearizable.ts";
import type { RegisterOperation } from "./register-operation.ts";

const common = { client: "w1", key: "k0", ok: true };

describe("explainViolation", () => {
  it("omits operations on which the violation does not depend", () => {
    const around = runAtomicRegister(8, { operationCount: 1000, hasDeletes: true });
    const wrong: RegisterOperation[] = [
      { ...common, kind: "set", value: "old", startedAt: 2000, endedAt: 2001 },
      { ...common, kind: "set", value: "new", startedAt: 2002, endedAt: 2003, client: "w2" },
      { ...common, kind: "get", value: "new", startedAt: 2003.5, endedAt: 2003.75 },
      { ...common, kind: "get", value: "old", startedAt: 2004, endedAt: 2005, client: "r1" },
      { ...common, kind: "get", value: "new", startedAt: 2004.5, endedAt: 2006 },
    ];
    const after = runAtomicRegister(9, { operationCount: 200 }).map((one) => ({
      ...one,
      startedAt: one.startedAt + 3000,
      endedAt: one.endedAt === undefined ? undefined : one.endedAt + 3000,
    }));
    const [violation] = checkLinearizable([...around, ...wrong, ...after]).violations;
    expect(violation?.operations).toEqual([wrong[0], wrong[1], wrong[3]]);
    expect(violation?.text).toBe(
      [
        'key "k0": no order explains the 3 operations below (1205 on the key in all)',
        '  0.000 to 1.000 |=========                               | w1: set "old", acknowledged',
        '  2.000 to 3.000 |                ========                | w2: set "new", acknowledged',
        '  4.000 to 5.000 |                               =========| r1: get, found "old"',
      ].join("\n"),
    );
  });

  it("omits removals that later writes hide", () => {
    const operations = [0, 10, 20, 30].map(
      (startedAt): RegisterOperation => ({
        ...common,
        kind: "delete",
        found: undefined,
        startedAt,
        endedAt: startedAt + 1,
      }),
    );
    const wrong: RegisterOperation[] = [
      { ...common, kind: "set", value: "a", startedAt: 40, endedAt: 41 },
      { ...common, kind: "get", startedAt: 50, endedAt: 51 },
    ];
    const [violation] = checkLinearizable([...operations, ...wrong]).violations;
    expect(violation?.operations).toEqual(wrong);
  });

  it("shows operations without an answer, refused, without a value and in flight", () => {
    const text = (operations: RegisterOperation[]) =>
      checkLinearizable(operations).violations[0]?.text.split("\n").slice(1).join("\n");
    expect(
      text([
        { ...common, kind: "set", value: "a", startedAt: 0, endedAt: 1, ok: false },
        { ...common, kind: "get", value: "a", startedAt: 0.5, endedAt: 2 },
      ]),
    ).toBe(
      [
        '  0.000 to 1.000 |=====================                   | w1: set "a", refused',
        '  0.500 to 2.000 |          ==============================| w1: get, found "a"',
      ].join("\n"),
    );
    expect(
      text([
        { ...common, kind: "set", value: "a", startedAt: 0, endedAt: 1 },
        { ...common, kind: "delete", found: true, startedAt: 2, endedAt: 30 },
        { ...common, kind: "get", startedAt: 3, endedAt: 4 },
        { ...common, kind: "get", value: "a", startedAt: 5, endedAt: 6 },
      ]),
    ).toBe(
      [
        '  0.000 to 1.000 |========                                | w1: set "a", acknowledged',
        "      2.000 to ? |             ===========================> w1: delete, no answer",
        "  3.000 to 4.000 |                    =======             | w1: get, found nothing",
        '  5.000 to 6.000 |                                 =======| w1: get, found "a"',
      ].join("\n"),
    );
  });
});
