import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Bundled programs for Node. */
export interface BundledPrograms {
  /** Contains a `.js` file for each program. */
  readonly folder: string;
  delete(): Promise<void>;
}

/**
 * Bundles programs of a package from the current sources, including other `@parsec/*` packages, in about
 * a second: Node 20 cannot run TypeScript, and a fresh clone has nothing built. The folder is inside the
 * package so that its dependencies resolve.
 */
export async function bundlePrograms(options: {
  readonly packageUrl: URL;
  /** The source files; `name.ts` becomes `name.js`. */
  readonly programs: readonly URL[];
}): Promise<BundledPrograms> {
  // Imported here, because tests that only start programs do not need it.
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
    // By default, tsup reads these from the package.json of the current folder, which may be another.
    external: await outsideDependencies(packageFolder),
    esbuildOptions(esbuild) {
      esbuild.conditions = ["@parsec/source"];
    },
    // Bundled CommonJS needs `require`, `__dirname` and `__filename`, which an ES module does not have.
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
