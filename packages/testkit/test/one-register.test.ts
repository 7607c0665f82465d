import { checkLinearizable, checkSingleOwner } from "@parsec/testkit";
import { expect, it } from "vitest";

it("a read after an acknowledged write must not return an older value", () => {
  const onUser7 = { key: "user:7", ok: true };
  const report = checkLinearizable([
    { ...onUser7, client: "a", kind: "set", value: "x", startedAt: 0, endedAt: 3 },
    { ...onUser7, client: "b", kind: "set", value: "y", startedAt: 4, endedAt: 6 },
    { ...onUser7, client: "c", kind: "get", value: "y", startedAt: 7, endedAt: 8 },
    { ...onUser7, client: "a", kind: "get", value: "x", startedAt: 10, endedAt: 12 },
  ]);

  expect(report.verdict).toBe("violated");
  expect(report.violations[0]?.text.split("\n")).toEqual([
    'key "user:7": no order explains the 3 operations below (4 on the key in all)',
    '    0.000 to 3.000 |===========                             | a: set "x", acknowledged',
    '    4.000 to 6.000 |             ========                   | b: set "y", acknowledged',
    '  10.000 to 12.000 |                                 =======| a: get, found "x"',
  ]);

  const served = { partition: 12, incarnation: "i1", epoch: 4 };
  const [twoOwners] = checkSingleOwner([
    { ...served, node: "n1", partEpoch: 1, servedFrom: 0, servedTo: 11 },
    { ...served, node: "n2", partEpoch: 2, servedFrom: 5, servedTo: 20 },
  ]);
  expect(twoOwners?.kind).toBe("overlap");
});
