import { describe, expect, it } from "vitest";
import { checkSingleOwner, type ServiceRecord } from "./check-single-owner.ts";

const served = (
  node: string,
  [servedFrom, servedTo]: readonly [number, number],
  rest: Partial<ServiceRecord> = {},
): ServiceRecord => ({
  node,
  partition: 5,
  incarnation: "i1",
  epoch: 1,
  partEpoch: 1,
  servedFrom,
  servedTo,
  ...rest,
});

describe("checkSingleOwner", () => {
  it("accepts consecutive owners, each under its own epoch", () => {
    expect(
      checkSingleOwner([
        served("a", [0, 10]),
        served("b", [11, 20], { partEpoch: 2, epoch: 4 }),
        served("a", [20, 30], { partEpoch: 3, epoch: 5 }),
        served("b", [0, 30], { partition: 6 }),
      ]),
    ).toEqual([]);
  });

  it("accepts a node that continues under a later epoch", () => {
    expect(
      checkSingleOwner([served("a", [0, 10]), served("a", [9, 20], { partEpoch: 2 })]),
    ).toEqual([]);
  });

  it("finds two nodes that serve at once under different epochs", () => {
    const [found, ...more] = checkSingleOwner([
      served("a", [0, 10]),
      served("b", [9, 20], { partEpoch: 2 }),
    ]);
    expect(more).toEqual([]);
    expect(found).toMatchObject({ partition: 5, kind: "overlap", first: { node: "a" } });
    expect(found?.text).toBe(
      "partition 5, two nodes at once: a from 0 to 10 under i1/1/1; b from 9 to 20 under i1/1/2",
    );
  });

  it("finds two nodes that serve at once after the table was created again", () => {
    const found = checkSingleOwner([
      served("a", [0, 10]),
      served("b", [9, 20], { incarnation: "i2" }),
    ]);
    expect(found.map(({ kind }) => kind)).toEqual(["overlap"]);
  });

  it("finds an old owner between two requests of the new one", () => {
    const found = checkSingleOwner([
      served("a", [0, 1]),
      served("b", [2, 2], { partEpoch: 2 }),
      served("a", [3, 3]),
      served("b", [4, 4], { partEpoch: 2 }),
    ]);
    expect(found.map(({ kind }) => kind)).toEqual(["overlap"]);
  });

  it("finds two nodes under one epoch, however far apart in time", () => {
    const found = checkSingleOwner([served("a", [0, 1]), served("b", [100, 101], { epoch: 9 })]);
    expect(found.map(({ kind }) => kind)).toEqual(["shared-epoch"]);
  });

  it("finds service under an epoch after a later one", () => {
    const found = checkSingleOwner([
      served("b", [0, 1], { partEpoch: 2 }),
      served("a", [2, 3], { partEpoch: 1 }),
    ]);
    expect(found.map(({ kind }) => kind)).toEqual(["step-back"]);
  });

  it.each([
    [2, 1],
    [Number.NaN, 1],
    [0, Number.POSITIVE_INFINITY],
  ])("rejects a record from %s to %s", (servedFrom, servedTo) => {
    expect(() => checkSingleOwner([served("a", [servedFrom, servedTo])])).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});
