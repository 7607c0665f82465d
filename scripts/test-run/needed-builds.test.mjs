import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { neededBuilds } from "./needed-builds.mjs";

let root = "";

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "parsec-builds-"));
  const manifest = (/** @type {string} */ name) =>
    `{ "name": "${name}", "scripts": { "build": "" } }`;
  const files = {
    "packages/a/package.json": manifest("a"),
    "packages/a/src/a.test.ts": 'import "../a.ts";',
    "examples/b/package.json": manifest("b"),
    "examples/b/src/b.test.ts": 'spawn("node", ["dist/main.js"])',
    "examples/b/src/plain.test.ts": "",
    "bench/package.json": manifest("bench"),
    "bench/src/cluster.ts": 'new URL("../../apps/c/dist/node.js", import.meta.url)',
    "bench/src/bench.test.ts": 'spawn("node", ["dist/main.js"])',
    "apps/c/package.json": manifest("c"),
    "scripts/c.test.mjs": 'new URL("../apps/c/dist/node.js", import.meta.url)',
    "scripts/text.test.mjs": 'expect(text).toBe("dist/main.js")',
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
});

afterAll(() => rm(root, { recursive: true, force: true }));

test.each([
  ["every program that any test runs", [], ["b", "bench", "c"]],
  ["nothing for a test of sources", ["packages/a"], []],
  ["the package whose program the test runs", ["b.test.ts"], ["b"]],
  ["nothing for another test of that package", ["plain.test"], []],
  ["a package that a source beside the test runs", ["bench"], ["bench", "c"]],
  ["the package that a script's test runs", ["scripts/c.test"], ["c"]],
  ["nothing where the folder has no build script", ["scripts/text.test"], []],
])("builds %s: %j needs %j", async (_, filters, expected) => {
  expect(await neededBuilds(root, filters)).toEqual(expected);
});
