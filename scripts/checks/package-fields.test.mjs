import { expect, test } from "vitest";
import { addressFields, packageFieldProblems } from "./package-fields.mjs";

const root = { repository: { type: "git", url: "git+https://git.example/parsec.git" } };
const good = { ...addressFields(root, "packages/a"), keywords: ["cache", "cluster", "node"] };

/** @param {import("./package-fields.mjs").Manifest} manifest */
const problemsOf = (manifest) => packageFieldProblems(root, new Map([["packages/a", manifest]]));

test("the address of the repository gives the fields of each package", () => {
  expect(addressFields(root, "packages/a")).toEqual({
    homepage: "https://git.example/parsec/tree/main/packages/a#readme",
    bugs: { url: "https://git.example/parsec/issues" },
    repository: {
      ...{ type: "git", url: "git+https://git.example/parsec.git", directory: "packages/a" },
    },
  });
});

test("passes a package with these fields and three keywords, and every private one", () => {
  expect(problemsOf(good)).toEqual([]);
  expect(problemsOf({ private: true })).toEqual([]);
});

test("names a field that is missing, and one that differs", () => {
  expect(problemsOf({ keywords: good.keywords })).toHaveLength(3);
  expect(problemsOf({ ...good, bugs: { url: "https://elsewhere.example" } })).toEqual([
    'packages/a/package.json: bugs must be {"url":"https://git.example/parsec/issues"}, got {"url":"https://elsewhere.example"}',
  ]);
});

test("names a package with too few keywords", () => {
  expect(problemsOf({ ...good, keywords: ["cache"] })).toEqual([
    "packages/a/package.json: keywords must have at least 3 entries, got 1",
  ]);
});
