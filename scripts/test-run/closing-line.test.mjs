import { expect, test } from "vitest";
import { closingLines } from "./closing-line.mjs";

const none = {
  ...{ passed: 0, failed: 0, skipped: 0, skipReasons: [], errorsOutsideTests: 0 },
  files: [],
  figures: [],
};

test("a passing run without skipped tests ends with its counts alone", () => {
  expect(closingLines({ ...none, passed: 7 }, 0)).toEqual(["7 passed, 0 failed"]);
});

test("each reason for skipping is printed once, before the counts", () => {
  const results = { ...none, passed: 1, skipped: 3, skipReasons: ["no Go", "no Go", "no Redis"] };
  expect(closingLines(results, 0)).toEqual([
    "skipped 2: no Go",
    "skipped 1: no Redis",
    "1 passed, 0 failed, 3 skipped",
  ]);
});

test("the slowest files of a long run come before the counts", () => {
  const files = Array.from({ length: 11 }, (_, index) => ({ path: `${index}`, durationMs: index }));
  const lines = closingLines({ ...none, passed: 11, files }, 0);
  expect(lines[0]).toContain("slowest of 11 files");
  expect(lines.at(-1)).toBe("11 passed, 0 failed");
});

test("a file that does not load counts as failed", () => {
  expect(closingLines({ ...none, passed: 3, failed: 1, errorsOutsideTests: 1 }, 1)).toEqual([
    "3 passed, 2 failed",
  ]);
});

test("a run that failed never prints 0 failed", () => {
  expect(closingLines({ ...none, passed: 3 }, 2)).toEqual([
    "vitest ended with exit code 2",
    "3 passed, 1 failed",
  ]);
  expect(closingLines(undefined, 1)).toEqual([
    "vitest ended with exit code 1",
    "0 passed, 1 failed",
  ]);
});
