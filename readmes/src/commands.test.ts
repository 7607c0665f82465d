import { access, readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { readBlocks, root } from "./readme-blocks.ts";

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

async function manifestIn(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(`${root}${folder}package.json`, "utf8")) as Manifest;
}

/** Shell blocks that are more than calls of our scripts: where they are run, or what checks them. */
const runElsewhere = new Map([
  ["CONTRIBUTING.md", "scripts/fresh-clone.sh"],
  ["apps/cache-node/README.md", "apps/cache-node/src/readme.test.ts"],
  ["apps/token-service/README.md", "apps/token-service/src/start.test.ts"],
  ["deploy/README.md", "scripts/check-manifests.mjs"],
  ["deploy/kubernetes/README.md", "scripts/check-manifests.mjs"],
  ["packages/core/README.md", "packages/core/src/discovery/cluster-config.test.ts"],
]);

const blocks = (await readBlocks()).filter(({ language }) => language === "sh");
const commands = blocks.flatMap(({ file, line, code }) =>
  code.split("\n").map((text, index) => ({ place: `${file}:${line + index}`, text })),
);

const { scripts = {} } = await manifestIn("");
const scriptCommands = commands.flatMap(({ place, text }) => {
  const [, script] = /\bpnpm(?:@10)? (?!exec\b|--filter\b|install\b)([\w:-]+)/.exec(text) ?? [];
  return script === undefined ? [] : [[place, script] as const];
});
const installCommands = commands.flatMap(({ place, text }) => {
  const [, rest] = /^npm install ((?:--save-dev )?[^#-][^#]*)/.exec(text) ?? [];
  return rest === undefined ? [] : [[place, rest.replace("--save-dev ", "").trim()] as const];
});

it.each(scriptCommands)("%s calls the script %s, which there is", (_place, script) => {
  expect(Object.keys(scripts)).toContain(script);
});

it.each(installCommands)(
  "%s installs %s, which are published or their peers",
  async (_place, names) => {
    const known = new Set<string>();
    for (const name of names.split(" ").filter((one) => one.startsWith("@parsec/"))) {
      const manifest = await manifestIn(`packages/${name.slice("@parsec/".length)}/`);
      expect(manifest.private).toBeUndefined();
      known.add(manifest.name);
      for (const peer of Object.keys(manifest.peerDependencies ?? {})) known.add(peer);
    }
    expect([...known]).toEqual(expect.arrayContaining(names.split(" ")));
  },
);

it.each(blocks.map(({ file, line, code }) => [`${file}:${line}`, { file, code }] as const))(
  "%s calls scripts and installs packages, or is run elsewhere",
  (_place, { file, code }) => {
    const lines = code.split("\n").filter((text) => text !== "" && !text.startsWith("#"));
    const known = /^(?:PARSEC_\w+=\S+ )*(?:npx -y )?pnpm(?:@10)? |^npm install /;
    if (!lines.every((text) => known.test(text))) expect([...runElsewhere.keys()]).toContain(file);
  },
);

it.each([...runElsewhere])("%s has a shell block, and there is %s", async (file, checkedBy) => {
  expect(blocks.some((block) => block.file === file)).toBe(true);
  await access(`${root}${checkedBy}`);
});

it("finds the commands", () => {
  expect(scriptCommands.length).toBeGreaterThanOrEqual(15);
  expect(installCommands.length).toBeGreaterThanOrEqual(9);
});
