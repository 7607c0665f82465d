import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const here = new URL(".", import.meta.url);

it("every example of the README is one of the tests beside this one, to the letter", () => {
  const readme = readFileSync(new URL("../README.md", here), "utf8");
  const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  const tests = readdirSync(here)
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => readFileSync(new URL(name, here), "utf8"));
  expect(examples.length).toBeGreaterThan(0);
  for (const example of examples) expect(tests).toContain(example);
});
