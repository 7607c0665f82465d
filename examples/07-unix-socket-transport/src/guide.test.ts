import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const guide = await readFile(
  new URL("../../../docs/writing-a-transport.md", import.meta.url),
  "utf8",
);
const blocks = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code as string);
const folder = new URL("./", import.meta.url);
const files = (await readdir(folder)).filter((name) => name.endsWith(".ts"));
const sources = await Promise.all(files.map((name) => readFile(new URL(name, folder), "utf8")));

/** The guide shows parts of files, further to the left than they stand there. */
function withoutIndents(code: string): string {
  return code.replace(/^ +/gm, "");
}

test("the guide has code from every part of the transport", () => {
  expect(blocks.length).toBeGreaterThan(10);
});

test.each(blocks)("this code of the guide is part of the example: %s", (block) => {
  const holders = sources.filter((source) =>
    withoutIndents(source).includes(withoutIndents(block)),
  );
  expect(holders).toHaveLength(1);
});
