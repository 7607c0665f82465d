import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsup";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));
/** @type {string | undefined} */
let folder;

/**
 * Processes cannot run TypeScript on Node 20, and a fresh clone has nothing built. The folder lies in
 * this package because the dependencies are found from there. No TypeScript, because tsup's own
 * declarations need what is not installed.
 * @param {import("vitest/node").TestProject} project
 */
export async function setup(project) {
  await mkdir(join(packageFolder, "temp"), { recursive: true });
  folder = await mkdtemp(join(packageFolder, "temp", "programs-"));
  await build({
    config: false,
    silent: true,
    outDir: folder,
    entry: [
      new URL("./programs/node.ts", import.meta.url),
      new URL("./programs/ends-by-itself.ts", import.meta.url),
    ].map((url) => fileURLToPath(url)),
    format: ["esm"],
    target: "node20",
    noExternal: [/^@parsec\//],
    external: ["@grpc/grpc-js"],
    esbuildOptions(options) {
      options.conditions = ["@parsec/source"];
    },
    // Bundled CommonJS asks for Node's modules by require, which an ES module does not have.
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
    },
  });
  project.provide("grpcPrograms", folder);
}

export async function teardown() {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}
