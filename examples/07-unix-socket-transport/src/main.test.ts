import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const folder = fileURLToPath(new URL("..", import.meta.url));

test("prints what the README shows", { timeout: 30_000 }, async () => {
  const child = spawn(process.execPath, ["dist/main.js"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output = await text(child.stdout);
  expect(await readFile(`${folder}README.md`, "utf8")).toContain(`\`\`\`\n${output}\`\`\`\n`);
});
