import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const folder = fileURLToPath(new URL("..", import.meta.url));
const natsUrl = process.env.PARSEC_TEST_NATS_URL;
const missing = process.env.PARSEC_TEST_NATS_MISSING ?? "PARSEC_TEST_NATS_URL is not set";

test("prints what the README shows, and leaves no process behind", {
  timeout: 30_000,
}, async ({ skip }) => {
  if (natsUrl === undefined) return skip(missing);
  const { output, code } = await runExample(natsUrl);
  expect(code).toBe(0);
  expect(await readFile(`${folder}README.md`, "utf8")).toContain(`\`\`\`\n${output}\`\`\`\n`);
});

test("prints an error and exits with 1 when NATS is unreachable", { timeout: 30_000 }, async () => {
  const { errors, code } = await runExample("nats://127.0.0.1:1");
  expect(code).toBe(1);
  expect(errors).toMatch(/^node-1 cannot reach a NATS server with JetStream: .+\n$/);
});

async function runExample(url: string) {
  const child = spawn(process.execPath, ["dist/main.js"], {
    cwd: folder,
    env: { ...process.env, NATS_URL: url },
    detached: true, // leads a process group with all its nodes
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
