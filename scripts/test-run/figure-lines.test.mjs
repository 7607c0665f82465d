import { expect, test } from "vitest";
import { figureLines } from "./figure-lines.mjs";

test("shows each figure under the title of its test, tables too", () => {
  expect(figureLines([{ test: "http > join", text: "p50 1 ms\np99 2 ms" }])).toEqual([
    "Figures:",
    "http > join",
    "    p50 1 ms\n    p99 2 ms",
  ]);
});

test("prints nothing without figures", () => {
  expect(figureLines([])).toEqual([]);
});
