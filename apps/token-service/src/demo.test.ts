import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "@parsec/program/testing";
import { expect, inject, test } from "vitest";

test("passes its own checks and prints the figures", async () => {
  const program = runProgram("demo");
  const code = await program.ended;
  const output = program.stdout() + program.stderr();
  expect(output).toMatch(/^1\. .*: 3 tokens, 1 query, [\d.]+ ms$/m);
  expect(output).toMatch(/^2\. .*: 100 tokens, 1 query, [\d.]+ ms$/m);
  expect(output).toMatch(/^3\. .*: 3 tokens, 1 query, .*invalidated on all nodes in [\d.]+ ms$/m);
  expect(output).toMatch(/^4\. .*: 6 tokens, .*the slowest in [\d.]+ ms$/m);
  expect(output).toMatch(/^All checks passed/m);
  expect(code).toBe(0);
});

test("prints the verdict as the last line, after all logs of the nodes", async ({
  onTestFinished,
}) => {
  const folder = await mkdtemp(join(tmpdir(), "parsec-demo-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  // One file for both outputs, as on a terminal.
  const log = await open(join(folder, "log"), "a");
  const child = spawn(process.execPath, [join(inject("programs"), "demo.js")], {
    env: { PATH: process.env.PATH ?? "", PARSEC_LOG_LEVEL: "info" },
    stdio: ["ignore", log.fd, log.fd],
  });
  await once(child, "close");
  await log.close();
  const lines = (await readFile(join(folder, "log"), "utf8")).trimEnd().split("\n");
  expect(lines.filter((line) => line.startsWith("node "))).not.toEqual([]);
  expect(lines.at(-1)).toMatch(/^All checks passed \([\d.]+ s\)\.$/);
});

test.each([
  [["--port", "1"], "demo: there is no flag --port; see --help\n"],
  [["--database-ulr=x"], "demo: there is no flag --database-ulr; did you mean --database-url?\n"],
])("rejects %j with one line and exit code 2", async (args, message) => {
  const program = runProgram("demo", { args });
  expect(await program.ended).toBe(2);
  expect(program.stderr()).toBe(message);
});
