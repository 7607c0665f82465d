import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

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
  /** The source of each; `name.ts` becomes `name.js`. */
  readonly programs: readonly URL[];
}): Promise<BundledPrograms> {
  // Here, because those that only start programs have no need to load it.
  const { build } = await import("tsup");
  const packageFolder = fileURLToPath(options.packageUrl);
  await mkdir(join(packageFolder, "temp"), { recursive: true });
  const folder = await mkdtemp(join(packageFolder, "temp", "programs-"));
  const sources = options.programs.map((url) => fileURLToPath(url));
  await build({
    config: false,
    silent: true,
    outDir: folder,
    entry: Object.fromEntries(sources.map((source) => [basename(source, ".ts"), source])),
    format: ["esm"],
    target: "node20",
    noExternal: [/^@parsec\//],
    // tsup would take these from the package.json of the current folder, which may be another.
    external: await outsideDependencies(packageFolder),
    esbuildOptions(esbuild) {
      esbuild.conditions = ["@parsec/source"];
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
  return { folder, delete: () => rm(folder, { recursive: true, force: true }) };
}

async function outsideDependencies(packageFolder: string): Promise<string[]> {
  const manifest = JSON.parse(await readFile(join(packageFolder, "package.json"), "utf8")) as {
    readonly dependencies?: Readonly<Record<string, string>>;
  };
  return Object.keys(manifest.dependencies ?? {}).filter((name) => !name.startsWith("@parsec/"));
}
