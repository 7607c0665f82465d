import { expect, test } from "vitest";
import { slowestFileLines } from "./slowest-files.mjs";

const files = (/** @type {number} */ count) =>
  Array.from({ length: count }, (_, index) => ({
    path: `${index}.test.ts`,
    durationMs: index * 1000,
  }));

test("lists the ten slowest files of a long run, the slowest first", () => {
  const lines = slowestFileLines(files(12));
  expect(lines).toHaveLength(11);
  expect(lines[0]).toBe("The 10 slowest of 12 files, which took 66.0 s together:");
  expect(lines[1]).toBe("    11.0 s  11.test.ts");
  expect(lines[10]).toBe("     2.0 s  2.test.ts");
});

test("prints nothing for a run of few files", () => {
  expect(slowestFileLines(files(10))).toEqual([]);
});
