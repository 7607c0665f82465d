import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { guideOfListings, type ReadmeBlock, readBlocks } from "./readme-blocks.ts";

const folder = fileURLToPath(new URL("../temp/types/", import.meta.url));
const compiler = fileURLToPath(
  new URL("bin/tsc", import.meta.resolve("@typescript/native/package.json")),
);
const tsconfig = {
  extends: "../../../tsconfig.base.json",
  compilerOptions: {
    moduleDetection: "force",
    // What a user has by `strict`, and no more: a README declares what its reader will use.
    noUnusedLocals: false,
    noUnusedParameters: false,
    noImplicitReturns: false,
    isolatedDeclarations: false,
    declaration: false,
    // The declarations of @nats-io are not written for exactOptionalPropertyTypes.
    skipLibCheck: true,
  },
  include: ["*.ts"],
};

/** The test files of testkit and the sources that a guide quotes are compiled where they are. */
const compiledElsewhere: readonly string[] = ["packages/testkit/README.md", guideOfListings.file];
const blocks = (await readBlocks()).filter(
  ({ language, file }) => language === "ts" && !compiledElsewhere.includes(file),
);
let errors: string[] = [];

/** Holds the code at the lines that it has in the README, so that the compiler names them. */
function contentOf({ code, line, context }: ReadmeBlock): string {
  if (context === undefined) return "\n".repeat(line - 1) + code;
  const before = "\n".repeat(context.line - 1) + context.code;
  return before + "\n".repeat(line - before.split("\n").length) + code;
}

function fileNameOf({ file, line }: ReadmeBlock): string {
  return `${file.replaceAll("/", "_")}.${line}.ts`;
}

beforeAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}tsconfig.json`, JSON.stringify(tsconfig));
  for (const block of blocks) await writeFile(`${folder}${fileNameOf(block)}`, contentOf(block));
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, [compiler, "-p", folder, "--pretty", "false"], (_error, stdout) =>
      resolve(stdout),
    );
  });
  errors = output.split("\n").filter((line) => line.includes("error TS"));
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the types of a block", () => {
  it.each(blocks.map((block) => [`${block.file}:${block.line}`, block] as const))(
    "%s",
    (_name, block) => {
      expect(errors.filter((error) => error.includes(fileNameOf(block)))).toEqual([]);
    },
  );

  it("are the only ones that were compiled", () => {
    expect(blocks.length).toBeGreaterThanOrEqual(20);
    expect(errors).toEqual([]);
  });
});
