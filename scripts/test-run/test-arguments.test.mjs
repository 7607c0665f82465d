import { expect, test } from "vitest";
import { parseTestArguments } from "./test-arguments.mjs";

test.each([
  [[], [], false],
  [["packages/core"], ["packages/core"], false],
  [["flight.test", "-t", "a caller's abort"], ["flight.test"], false],
  [["--reporter", "verbose", "scenarios"], ["scenarios"], false],
  [["--watch", "packages/core"], ["packages/core"], true],
  [["packages/core", "-w"], ["packages/core"], true],
])("%j selects %j, watching: %j", async (args, filters, isWatching) => {
  expect(await parseTestArguments(args)).toEqual({ filters, isWatching });
});
