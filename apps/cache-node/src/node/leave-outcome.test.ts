import { describe, expect, test } from "vitest";
import { judgeLeave, type LeaveCircumstances } from "./leave-outcome.ts";

const inMemory: LeaveCircumstances = {
  isDurable: false,
  hadOthers: true,
  isAlone: false,
  entriesOf: (partition) => partition * 10,
};
const onDisk = { ...inMemory, isDurable: true };

describe("the outcome of a leave", () => {
  test.each([
    ["all was handed over", inMemory, { unmoved: [], onlyHere: [] }, 0, []],
    ["copies take over", inMemory, { unmoved: [1, 2], onlyHere: [] }, 1, [["error", 30]]],
    ["entries are lost", inMemory, { unmoved: [], onlyHere: [1, 2] }, 1, [["error", 30]]],
    ["all entries had expired", inMemory, { unmoved: [], onlyHere: [0] }, 0, []],
    [
      "both",
      inMemory,
      { unmoved: [1], onlyHere: [2] },
      1,
      [
        ["error", 10],
        ["error", 20],
      ],
    ],
    [
      "no node was expected",
      { ...inMemory, isAlone: true },
      { unmoved: [], onlyHere: [1] },
      0,
      [["info", 10]],
    ],
    [
      "the last node has all on disk",
      { ...onDisk, hadOthers: false },
      { unmoved: [], onlyHere: [0, 1] },
      0,
      [["info", 10]],
    ],
    [
      "others could not take what is on disk",
      onDisk,
      { unmoved: [], onlyHere: [1] },
      1,
      [["error", 10]],
    ],
  ] as const)("%s", (_name, at, report, exitCode, notes) => {
    const outcome = judgeLeave(report, at);
    expect(outcome.exitCode).toBe(exitCode);
    expect(outcome.notes.map(({ level, entries }) => [level, entries])).toEqual(notes);
  });
});
