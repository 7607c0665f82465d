import { readFile } from "node:fs/promises";
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

const commands = (await readBlocks())
  .filter(({ language }) => language === "sh")
  .flatMap(({ file, line, code }) =>
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

it("finds the commands", () => {
  expect(scriptCommands.length).toBeGreaterThanOrEqual(15);
  expect(installCommands.length).toBeGreaterThanOrEqual(9);
});
