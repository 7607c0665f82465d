import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runChildGroup } from "./child-group.mjs";
import { missingPnpmHint } from "./missing-pnpm.mjs";

const missing = () => Promise.resolve(undefined);

test("names the command to type instead of the script", async () => {
  expect(await missingPnpmHint("/home/me/parsec/scripts/check.mjs", missing)).toBe(
    'pnpm is not on PATH. Type "npx -y pnpm@10 check" instead of "node scripts/check.mjs", ' +
      "or install pnpm once: npm install -g pnpm@10",
  );
});

test("gives no hint where pnpm is on PATH", async () => {
  expect(
    await missingPnpmHint("check.mjs", () => Promise.resolve("/usr/bin/pnpm")),
  ).toBeUndefined();
});

test.each([["check.mjs"], ["build.mjs"], ["turbo.mjs"], ["update-api.mjs"]])(
  "%s started by Node alone ends with that hint, and nothing else",
  async (name) => {
    const script = fileURLToPath(new URL(`../${name}`, import.meta.url));
    const { code, output } = await runChildGroup(process.execPath, [script], {
      // A folder without programs.
      env: { PATH: dirname(fileURLToPath(import.meta.url)) },
      capture: true,
    });
    expect(output).toMatch(/^pnpm is not on PATH\. Type "npx -y pnpm@10 [^\n]*\n$/);
    expect(code).toBe(1);
  },
);
