import { expect, it } from "vitest";
import { blocksOf } from "./readme-blocks.ts";

it("finds blocks with their language and line, and the context of a fragment", () => {
  const text = [
    "# Title",
    "",
    "```sh",
    "npm install",
    "```",
    "",
    "<!-- fragment",
    "declare const secret: string;",
    "-->",
    "",
    "```ts",
    "console.log(secret);",
    "```",
    "```",
    "a picture",
    "```",
  ].join("\n");
  expect(blocksOf("README.md", text)).toEqual([
    { file: "README.md", line: 4, language: "sh", code: "npm install\n", context: undefined },
    {
      file: "README.md",
      line: 12,
      language: "ts",
      code: "console.log(secret);\n",
      context: { code: "declare const secret: string;\n", line: 8 },
    },
    { file: "README.md", line: 15, language: "", code: "a picture\n", context: undefined },
  ]);
});
