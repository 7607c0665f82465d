import { readdir, readFile } from "node:fs/promises";
import { describeOnServers } from "@parsec/nats-fixtures";
import { describe, expect, it } from "vitest";
import { guideOfListings, type ReadmeBlock, readBlocks, root } from "./readme-blocks.ts";
import { promisedOutput, runProgram } from "./run-program.ts";

/** Programs that need a party of their own. The named test runs them. */
const runElsewhere = new Map([["packages/tokens/README.md", "packages/tokens/src/readme.test.ts"]]);
const natsUrl = "nats://127.0.0.1:4222";

const blocks = (await readBlocks()).filter(
  ({ language, file }) => language === "ts" && file !== guideOfListings.file,
);
const complete = blocks.filter(({ context }) => context === undefined);
const suites = complete.filter(isTestFile);
const programs = complete.filter((block) => !isTestFile(block) && !runElsewhere.has(block.file));

/** It belongs to a test runner, which a program has none of. */
function isTestFile({ code }: ReadmeBlock): boolean {
  return /from "vitest"|describePeerContract\(/.test(code);
}

function nameOf({ file, line }: ReadmeBlock): string {
  return `${file}:${line}`;
}

it("finds programs in every README that has code", () => {
  expect(programs.length).toBeGreaterThanOrEqual(12);
  expect(suites.length).toBeGreaterThanOrEqual(4);
});

describe("the first screen", () => {
  const files = [...new Set(programs.map(({ file }) => file))];
  it.each(files)("of %s has a program", (file) => {
    const first = blocks.find((block) => block.file === file);
    expect(first?.context).toBeUndefined();
    expect(first?.line).toBeLessThan(file === "README.md" ? 20 : 17);
  });
});

describe("a program", () => {
  it.each(
    programs
      .filter(({ code }) => !code.includes(natsUrl))
      .map((block) => [nameOf(block), block] as const),
  )("%s prints what its comments say", async (_name, { code }) => {
    expect(promisedOutput(code)).not.toEqual([]);
    expect(await runProgram(code)).toEqual(promisedOutput(code));
  });
});

describeOnServers((server) => {
  it("packages/transport-nats/README.md prints what its comments say", async () => {
    const code = codeOf("packages/transport-nats/README.md");
    const printed = await runProgram(code, {
      [natsUrl]: server.url,
      'cluster: "shop"': `cluster: "shop-${process.pid}-${Date.now()}"`,
    });
    expect(promisedOutput(code)).toHaveLength(1);
    expect(printed).toEqual(promisedOutput(code));
  });

  it("packages/ring/README.md serves all partitions and answers", async () => {
    const code = codeOf("packages/ring/README.md");
    const printed = await runProgram(code, {
      [natsUrl]: server.url,
      'platform: "shop"': `platform: "shop-${process.pid}-${Date.now()}"`,
    });
    // Partitions may come in several calls; in the end this node serves all, and lost none.
    const served = printed.map((line) => /^serving (\d+) \{ lost: false \}$/.exec(line)?.[1]);
    expect(served.reduce((sum, count) => sum + Number(count ?? 0), 0)).toBe(64);
    expect(printed.join("\n")).not.toContain("lost: true");
    expect(printed).toContain("1 node-1");
  }, 20_000);
});

function codeOf(file: string): string {
  const code = programs.find((block) => block.file === file && block.code.includes(natsUrl))?.code;
  return code ?? "no program";
}

describe("a test", () => {
  it.each(suites.map((block) => [nameOf(block), block] as const))(
    "%s is a test file of this repository, to the letter",
    async (_name, { file, code }) => {
      const folder = `${root}${file.replace("README.md", "test/")}`;
      const names = (await readdir(folder)).filter((name) => name.endsWith(".test.ts"));
      const tests = await Promise.all(names.map((name) => readFile(`${folder}${name}`, "utf8")));
      expect(tests).toContain(code);
    },
  );
});

it("leaves the listings of a guide to its own test", async () => {
  const test = await readFile(`${root}${guideOfListings.test}`, "utf8");
  expect(test).toContain(guideOfListings.file);
});

it.each([...runElsewhere])("%s is run by %s", async (file, test) => {
  expect(complete.some((block) => block.file === file)).toBe(true);
  expect(await readFile(`${root}${test}`, "utf8")).toContain("README.md");
});
