import { expect, test } from "vitest";
import { runChildGroup } from "./child-group.mjs";
import { livingMembers } from "./process-group.mjs";

const run = (/** @type {string} */ script, /** @type {object} */ options = {}) =>
  runChildGroup(process.execPath, ["-e", script], { capture: true, ...options });

test("returns the exit code and both outputs", async () => {
  const result = await run("console.log('out'); console.error('err'); process.exitCode = 3");
  expect(result.code).toBe(3);
  expect(result.output).toContain("out");
  expect(result.output).toContain("err");
  expect(result.leftBehind).toEqual([]);
});

test("ends the processes that the command left behind, and returns their command lines", async () => {
  const script = `
    const child = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6)"], { stdio: "ignore" });
    child.unref();
    console.log(process.pid);`;
  const { output, leftBehind } = await run(script);
  expect(leftBehind).toEqual([expect.stringContaining("setInterval")]);
  await expect.poll(() => livingMembers(Number(output))).toEqual([]);
});

test("interrupts the command on abort", async () => {
  const abort = new AbortController();
  const running = run("setInterval(() => {}, 1e6)", { signal: abort.signal });
  abort.abort();
  const { code, leftBehind } = await running;
  expect(code).not.toBe(0);
  expect(leftBehind).toEqual([]);
});
