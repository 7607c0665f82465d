import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const folder = fileURLToPath(new URL("..", import.meta.url));

test("prints what the README shows, and leaves no process behind", {
  timeout: 30_000,
}, async () => {
  const child = spawn(process.execPath, ["dist/main.js"], {
    cwd: folder,
    detached: true, // leads a process group with all its workers
    stdio: ["ignore", "pipe", "inherit"],
  });
  const group = -(child.pid ?? Number.NaN);
  onTestFinished(() => {
    if (isAlive(group)) process.kill(group, "SIGKILL");
  });

  const [output] = await Promise.all([text(child.stdout), once(child, "exit")]);
  expect(await readFile(`${folder}README.md`, "utf8")).toContain(`\`\`\`\n${output}\`\`\`\n`);
  expect(isAlive(group)).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
