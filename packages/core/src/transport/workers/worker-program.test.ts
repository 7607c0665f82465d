import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { looksForOthers, programOf } from "./worker-program.ts";

const address = "http://10.0.0.1:8080";
const unconfigured = "http://localhost:8080";
const server = "/app/server.js";
const runner = "/app/node_modules/runner/worker.js";

test.each([
  ["a server with an address", { script: server }, address, true],
  ["a program given as text", { script: undefined }, address, true],
  ["a test runner", { script: runner }, address, false],
  [
    "a tool that node:cluster or PM2 started",
    { script: runner, isOneOfSeveral: true },
    address,
    true,
  ],
  ["a server without an address", { script: server }, unconfigured, false],
  [
    "a server with the default as its address",
    { script: server, hasSelfUrl: true },
    unconfigured,
    true,
  ],
  [
    "one of several without an address",
    { script: server, isOneOfSeveral: true },
    unconfigured,
    true,
  ],
])("%s: looks for others or not", (_case, given, selfId, expected) => {
  expect(looksForOthers(selfId, given)).toBe(expected);
});

test("a program is its file, whatever the link to it", () => {
  const folder = mkdtempSync(join(tmpdir(), "parsec-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "server.js"), "");
  symlinkSync(join(folder, "server.js"), join(folder, "link.js"));
  expect(programOf(join(folder, "link.js"))).toBe(programOf(join(folder, "server.js")));
  expect(programOf(join(folder, "missing.js"))).not.toBe(programOf(join(folder, "server.js")));
});
