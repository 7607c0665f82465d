import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RingTable } from "./ring-table.ts";
import { decodeTable, encodeTable } from "./table-codec.ts";
import { tableLimits } from "./table-limits.ts";

const table: RingTable = {
  incarnation: "i",
  epoch: 7,
  replicas: 2,
  members: [
    { id: "a", session: "s1", address: "x", zone: "", weight: 1, present: true },
    { id: "日本", session: "s2", address: "", zone: "z", weight: 0.5, present: false },
  ],
  parts: [
    { owner: "a", backups: ["日本"], epoch: 3, next: undefined, recovery: "none", lost: true },
    { owner: undefined, backups: [], epoch: 0, next: "a", recovery: "everyone", lost: false },
  ],
};

function spoilt(change: (record: Record<string, unknown>) => void): Uint8Array {
  const record = JSON.parse(Buffer.from(encodeTable(table)).toString()) as Record<string, unknown>;
  change(record);
  return Buffer.from(JSON.stringify(record));
}

describe("the table's format", () => {
  it("decodes to the encoded table", () => {
    expect(decodeTable(encodeTable(table))).toEqual(table);
  });

  it.each<[string, (record: Record<string, unknown>) => void]>([
    ["another version", (record) => (record.v = 2)],
    ["no epoch", (record) => delete record.epoch],
    ["an epoch of text", (record) => (record.epoch = "7")],
    ["too many replicas", (record) => (record.replicas = 1000)],
    ["too many partitions", (record) => (record.partitions = 1e9)],
    ["fewer parts than it says", (record) => (record.partitions = 3)],
    ["parts that are not lists", (record) => (record.parts = [1, 2])],
    [
      "an owner that is not a member",
      (record) =>
        (record.parts = [
          [2, [], 1, -1, 0],
          [0, [], 1, -1, 0],
        ]),
    ],
    [
      "an owner who is its own backup",
      (record) =>
        (record.parts = [
          [0, [0], 1, -1, 0],
          [0, [], 1, -1, 0],
        ]),
    ],
    [
      "unknown flags",
      (record) =>
        (record.parts = [
          [0, [], 1, -1, 9],
          [0, [], 1, -1, 3],
        ]),
    ],
    [
      "a fractional epoch",
      (record) =>
        (record.parts = [
          [0, [], 1.5, -1, 0],
          [0, [], 1, -1, 0],
        ]),
    ],
    [
      "a member twice",
      (record) =>
        (record.members = [(record.members as unknown[])[0], (record.members as unknown[])[0]]),
    ],
    ["a member without a session", (record) => (record.members = [{ id: "a" }])],
    ["members that are not a list", (record) => (record.members = {})],
  ])("refuses %s", (_what, change) => {
    expect(() => decodeTable(spoilt(change))).toThrow(
      expect.objectContaining({ code: "MALFORMED_FRAME" }),
    );
  });

  it("throws a typed error for anything that is not a table", () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => new Uint8Array(Buffer.from(text))),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        expect(() => decodeTable(bytes)).toThrow(
          expect.objectContaining({ code: "MALFORMED_FRAME" }),
        );
      }),
    );
  });

  it("rejects tables that are too large, in both directions", () => {
    const bytes = new Uint8Array(tableLimits.maxTableBytes + 1);
    expect(() => decodeTable(bytes)).toThrow(expect.objectContaining({ code: "FRAME_TOO_LARGE" }));
    const backups = Array.from({ length: 600_000 }, () => "a");
    const large = {
      ...table,
      parts: [{ ...table.parts[0], backups }, table.parts[1]],
    } as RingTable;
    expect(() => encodeTable(large)).toThrow(expect.objectContaining({ code: "FRAME_TOO_LARGE" }));
  });
});
