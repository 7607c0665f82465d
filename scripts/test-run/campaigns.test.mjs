import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { campaigns } from "./campaigns.mjs";
import { selectTests } from "./selected-tests.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const length = /process\.env\.PARSEC_CAMPAIGN/;

test.each(campaigns)("%s has test files", async (filter) => {
  expect(await selectTests(root, [filter])).not.toEqual([]);
});

test("every test file with a length of its own is in the campaign", async () => {
  const all = (await selectTests(root, [])).flatMap(({ tests }) => tests);
  const texts = all.map(
    async (path) => /** @type {const} */ ([path, await readFile(join(root, path), "utf8")]),
  );
  const withLength = (await Promise.all(texts)).filter(([, text]) => length.test(text));
  expect(withLength.length).toBeGreaterThan(0);
  for (const [path] of withLength)
    expect(
      campaigns.some((filter) => path.includes(filter)),
      path,
    ).toBe(true);
});
