import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { runChildGroup } from "../processes/child-group.mjs";

const script = fileURLToPath(new URL("../check-types.mjs", import.meta.url));
const base = fileURLToPath(new URL("../../tsconfig.base.json", import.meta.url));
let folder = "";

afterEach(() => rm(folder, { recursive: true, force: true }));

/** @param {string} source */
async function check(source) {
  folder = await mkdtemp(join(tmpdir(), "parsec-types-"));
  const config = { extends: base, compilerOptions: { types: [] }, files: ["a.ts"] };
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  await writeFile(join(folder, "a.ts"), source);
  return runChildGroup(process.execPath, [script, folder], { capture: true });
}

test.each([
  ["a wrong type", "export const count: number = 'one';", "TS2322"],
  [
    "an undefined where a field is only absent",
    "export const a: { b?: number } = { b: undefined };",
    "TS2375",
  ],
  ["an export whose type is not written", "export const a = Math.random();", "TS9010"],
  ["an unused name", "const unused = 1; export {};", "TS6133"],
  ["syntax that Node cannot erase", "export enum A { b }", "TS1294"],
])("names %s", async (_, source, code) => {
  const result = await check(source);
  expect(result.code).toBe(1);
  expect(result.output).toContain(`error ${code}`);
});

test("prints nothing when the types are right", async () => {
  expect(await check("export const count: number = 1;")).toMatchObject({ code: 0, output: "" });
});
