import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { Row } from "./result.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));

test("a smoke run runs every suite once and leaves no process behind", {
  timeout: 180_000,
}, async () => {
  const out = join(await temporaryFolder(), "rows.json");
  const { output, errors, code } = await runBench("--smoke", "--out", out);
  expect(code, errors).toBe(0);
  const { rows } = JSON.parse(await readFile(out, "utf8")) as { readonly rows: readonly Row[] };
  const withNats = !output.includes("nats-server is not installed");
  expect([...new Set(rows.map(({ suite }) => suite))]).toEqual([
    "local hit",
    "set with eviction",
    "process growth",
    "memory by shape",
    "remote hit over HTTP",
    "remote hit over gRPC",
    "remote hit over NATS",
    "stampede",
    "invalidation on three nodes",
    "a fourth node joins three",
    "rolling restart of three nodes under load",
    ...(withNats
      ? ["cache node under load", "planned moves of the ring", "SIGKILL of one of three nodes"]
      : []),
  ]);
  for (const row of rows) {
    expect(row, `${row.suite}: ${row.case}, ${row.subject}`).toMatchObject({
      runs: 1,
      median: expect.any(Number),
      versions: expect.stringMatching(/\d/),
      machine: expect.stringContaining(process.version),
      measuredOn: expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/),
    });
  }
  for (const name of ["HTTP", "gRPC", ...(withNats ? ["NATS"] : [])]) {
    const ours = rows.filter(
      ({ suite, subject }) => suite === `remote hit over ${name}` && subject.startsWith("parsec"),
    );
    // Four loads, each with a rate or a time, and the CPU time of the client.
    expect(ours.filter(({ median }) => median > 0).length).toBeGreaterThanOrEqual(8);
  }
  const failed = rows.filter(({ case: name }) => name === "failed requests");
  expect(
    failed.map(({ max }) => max),
    errors,
  ).toEqual(withNats ? [0, 0, 0, 0] : [0, 0]);
});

test("keeps the rows of suites that were not run", { timeout: 60_000 }, async () => {
  const out = join(await temporaryFolder(), "rows.json");
  for (const suite of ["local-hit", "set", "local-hit"]) {
    expect(await runBench("--smoke", "--out", out, suite)).toMatchObject({ code: 0 });
  }
  const { rows } = JSON.parse(await readFile(out, "utf8")) as { readonly rows: readonly Row[] };
  const count = (name: string) => rows.filter(({ suite }) => suite === name).length;
  expect([count("local hit"), count("set with eviction")]).toEqual([7, 4]);
});

test.each([["--runs", "0"], ["--runs", "many"], ["remote-hat"], ["--fast"]])(
  "prints its usage for the invalid arguments %s %s",
  async (...args) => {
    const { errors, code } = await runBench(...args);
    expect(code).toBe(2);
    expect(errors).toMatch(/^usage: pnpm bench .*\n\nsuites: local-hit, .*\n/);
  },
);

async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "parsec-bench-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function runBench(...args: readonly string[]) {
  const child = spawn(process.execPath, ["dist/main.js", ...args], {
    cwd: folder,
    detached: true, // leads a process group with all its children
    stdio: ["ignore", "pipe", "pipe"],
  });
  const group = -(child.pid ?? Number.NaN);
  onTestFinished(() => {
    if (isAlive(group)) process.kill(group, "SIGKILL");
  });
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  expect(isAlive(group)).toBe(false);
  return { output, errors, code };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
