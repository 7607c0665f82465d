import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const folder = fileURLToPath(new URL("..", import.meta.url));
const natsUrl = process.env.PARSEC_TEST_NATS_URL;
const missing = process.env.PARSEC_TEST_NATS_MISSING ?? "PARSEC_TEST_NATS_URL is not set";
const timeout = 90_000;

test("prints what the README shows", { timeout }, async () => {
  await expectWhatTheReadmeShows(await runExample());
});

test("prints the same over NATS", { timeout }, async ({ skip }) => {
  if (natsUrl === undefined) return skip(missing);
  await expectWhatTheReadmeShows(await runExample("--nats", natsUrl));
});

test("prints an error and exits with 1 when NATS is unreachable", { timeout }, async () => {
  const { output, errors, code } = await runExample("--nats", "nats://127.0.0.1:1");
  expect(errors).toMatch(/^node-1 cannot join the ring: .+\n$/);
  expect(output).toBe("");
  expect(code).toBe(1);
});

interface Run {
  readonly output: string;
  readonly errors: string;
  readonly code: number | null;
}

async function expectWhatTheReadmeShows({ output, errors, code }: Run): Promise<void> {
  expect(errors).toBe("");
  expect(await readFile(`${folder}README.md`, "utf8")).toContain(`\`\`\`\n${output}\`\`\`\n`);
  expect(output).not.toBe("");
  expect(code).toBe(0);
}

async function runExample(...args: readonly string[]): Promise<Run> {
  const child = spawn(process.execPath, ["dist/main.js", ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  return { output, errors, code };
}
