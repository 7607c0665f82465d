import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsup";

const memberFolder = fileURLToPath(new URL("..", import.meta.url));
/** @type {string | undefined} */
let folder;

/**
 * Processes cannot run TypeScript on Node 20, and a fresh clone has nothing built: so the programs are
 * bundled, with all they import, from the sources as they are now.
 * @param {import("vitest/node").TestProject} project
 */
export async function setup(project) {
  await mkdir(join(memberFolder, "temp"), { recursive: true });
  folder = await mkdtemp(join(memberFolder, "temp", "programs-"));
  await build({
    config: false,
    silent: true,
    outDir: folder,
    entry: ["node", "origin"].map((name) => join(memberFolder, "src", "programs", `${name}.ts`)),
    format: ["esm"],
    target: "node20",
    noExternal: [/./],
    esbuildOptions(options) {
      options.conditions = ["@parsec/source"];
    },
    // Bundled CommonJS asks for Node's modules by require, and for its own place, which an ES module does not have.
    banner: {
      js: [
        'import { createRequire as makeRequire } from "node:module";',
        "const require = makeRequire(import.meta.url);",
        "const __dirname = import.meta.dirname; const __filename = import.meta.filename;",
      ].join(" "),
    },
  });
  project.provide("scenarioPrograms", folder);
}

export async function teardown() {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}
