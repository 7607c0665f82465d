import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsup";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Folder with `node.js` and `start.js`, built from the sources as they are now. */
    readonly programs: string;
  }
}

const appFolder = fileURLToPath(new URL("..", import.meta.url));
let folder: string | undefined;

/**
 * Processes cannot run TypeScript on Node 20, and a fresh clone has nothing built. So the programs
 * are bundled from the sources, ours included; a second suffices. The folder lies in this package
 * because the dependencies are found from there.
 */
export async function setup(project: TestProject): Promise<void> {
  await mkdir(join(appFolder, "temp"), { recursive: true });
  folder = await mkdtemp(join(appFolder, "temp", "programs-"));
  await build({
    config: false,
    silent: true,
    outDir: folder,
    entry: ["node", "start"].map((name) => join(appFolder, "src", `${name}.ts`)),
    format: ["esm"],
    target: "node20",
    noExternal: [/^@parsec\//],
    // tsup would take these from the package.json of the current folder, which may be another.
    external: await outsideDependencies(),
    esbuildOptions(options) {
      options.conditions = ["@parsec/source"];
    },
    // Bundled CommonJS asks for Node's modules by require, which an ES module does not have.
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
    },
  });
  project.provide("programs", folder);
}

export async function teardown(): Promise<void> {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}

async function outsideDependencies(): Promise<string[]> {
  const manifest = JSON.parse(await readFile(join(appFolder, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return Object.keys(manifest.dependencies).filter((name) => !name.startsWith("@parsec/"));
}
