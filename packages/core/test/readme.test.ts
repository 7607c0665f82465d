import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");

it("names every option, counter and error code", async () => {
  const namesIn = async (file: string, pattern: RegExp): Promise<string[]> => {
    const source = await readFile(new URL(`../src/${file}`, import.meta.url), "utf8");
    return [...source.matchAll(pattern)].map(([, name]) => name as string);
  };
  const names = [
    ...(await namesIn("cache-policy.ts", /^ {2}readonly (\w+)\?:/gm)),
    ...(await namesIn("registry/source-origin.ts", /^ {2}readonly (\w+)\?:/gm)),
    ...(await namesIn("group-stats.ts", /^ {2}readonly (\w+):/gm)),
    ...(await namesIn("errors.ts", /^ {2}\| "(\w+)"/gm)),
  ];
  expect(names.length).toBeGreaterThan(40);
  for (const name of names) expect(readme).toMatch(new RegExp(`\`[^\`]*\\b${name}\\b[^\`]*\``));
});
