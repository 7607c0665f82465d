import type { RegisterOperation } from "@parsec/testkit";
import { describe, expect, it } from "vitest";
import { type FaultRecord, measureFaults, percentile } from "./fault-measures.ts";
import { renderMeasures } from "./measure-table.ts";
import type { ServiceNote } from "./service-note.ts";

const kill: FaultRecord = {
  name: "kill",
  watched: [{ key: "k", partition: 1, owner: "a" }],
  struckAtMs: 1000,
  mendedAtMs: 4000,
  restedAtMs: 5000,
  relentedAtMs: 5000,
};

function operation(
  kind: RegisterOperation["kind"],
  [startedAt, endedAt]: readonly [number, number | undefined],
  key = "k",
): RegisterOperation {
  const told = { client: "c", key, startedAt, endedAt, ok: endedAt !== undefined };
  return kind === "set" ? { ...told, kind, value: "v" } : { ...told, kind };
}

function note(partition: number, atMs: number): ServiceNote {
  return { node: "a", partition, incarnation: "i", epoch: 1, partEpoch: 1, atMs };
}

describe("measureFaults", () => {
  it("counts from the fault to the first answer to what began after it", () => {
    const history = [
      operation("get", [990, 1010]),
      operation("get", [1001, undefined]),
      operation("get", [1002, 3000]),
      operation("get", [2900, 2950]),
      operation("set", [1003, 3100]),
      operation("delete", [3001, 3050]),
      operation("get", [1004, 1005], "another"),
      operation("get", [5001, 5002]),
    ];
    const [measures] = measureFaults([kill], { history, notes: [] });
    expect(measures).toMatchObject({
      name: "kill",
      times: 1,
      firstReadMs: [1950],
      firstWriteMs: [2050],
      acknowledged: 5,
      failed: 1,
    });
  });

  it("takes the longest time in which nobody answered for the partition", () => {
    const times = [100, 990, 1100, 2500, 2600, 3900, 4900, 9000];
    const notes = [...times.map((atMs) => note(1, atMs)), note(2, 1500)];
    const pauseMs = (record: Partial<FaultRecord>): readonly number[] | undefined =>
      measureFaults([{ ...kill, ...record }], { history: [], notes })[0]?.pauseMs;
    expect(pauseMs({})).toEqual([1400]);
    expect(pauseMs({ struckAtMs: 1101, relentedAtMs: 2000 })).toEqual([899]);
    expect(pauseMs({ struckAtMs: 4000, relentedAtMs: 8000 })).toEqual([3100]);
  });

  it("puts faults of a kind together", () => {
    const later = { ...kill, struckAtMs: 6000, restedAtMs: 7000, relentedAtMs: 7000 };
    const leave = { ...kill, name: "leave" } as const;
    const history = [operation("get", [1001, 1100]), operation("get", [6001, 6300])];
    const measures = measureFaults([kill, leave, later], { history, notes: [] });
    expect(measures.map(({ name, times }) => `${name} ${times}`)).toEqual(["kill 2", "leave 1"]);
    expect(measures[0]?.firstReadMs).toEqual([100, 300]);
    expect(renderMeasures(measures)).toBe(
      [
        "fault  times  first read       first write  pause               acknowledged  failed",
        "kill   2      100 / 300 / 300  -            1000 / 4000 / 4000  2             0",
        "leave  1      100 / 100 / 100  -            4000 / 4000 / 4000  1             0",
      ].join("\n"),
    );
  });
});

describe("percentile", () => {
  it.each([
    [50, 2],
    [75, 3],
    [99, 4],
    [100, 4],
  ])("of %d is number %d of four", (percent, expected) => {
    expect(percentile([4, 1, 3, 2], percent)).toBe(expected);
  });
});
