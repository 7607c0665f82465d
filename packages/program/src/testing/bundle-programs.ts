import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsup";

/** Programs that Node can run. */
export interface BundledPrograms {
  /** Holds a `.js` for each program. */
  readonly folder: string;
  delete(): Promise<void>;
}

/**
 * Bundles programs of a package from the sources as they are now, ours included; a second suffices.
 * Processes cannot run TypeScript on Node 20, and a fresh clone has nothing built. The folder lies in
 * the package because the dependencies are found from there.
 */
export async function bundlePrograms(options: {
  readonly packageUrl: URL;
  /** The source of each, from the package's folder on. */
  readonly programs: Readonly<Record<string, string>>;
}): Promise<BundledPrograms> {
  const packageFolder = fileURLToPath(options.packageUrl);
  await mkdir(join(packageFolder, "temp"), { recursive: true });
  const folder = await mkdtemp(join(packageFolder, "temp", "programs-"));
  const entries = Object.entries(options.programs);
  await build({
    config: false,
    silent: true,
    outDir: folder,
    entry: Object.fromEntries(entries.map(([name, path]) => [name, join(packageFolder, path)])),
    format: ["esm"],
    target: "node20",
    noExternal: [/^@parsec\//],
    // tsup would take these from the package.json of the current folder, which may be another.
    external: await outsideDependencies(packageFolder),
    esbuildOptions(esbuild) {
      esbuild.conditions = ["@parsec/source"];
    },
    // Bundled CommonJS asks for Node's modules by require, which an ES module does not have.
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
    },
  });
  return { folder, delete: () => rm(folder, { recursive: true, force: true }) };
}

async function outsideDependencies(packageFolder: string): Promise<string[]> {
  const manifest = JSON.parse(await readFile(join(packageFolder, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return Object.keys(manifest.dependencies).filter((name) => !name.startsWith("@parsec/"));
}
