import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildQuietly } from "../processes/quiet-build.mjs";
import { runCommand } from "./run-command.mjs";

/**
 * @typedef {object} PackedPackage
 * @property {string} name
 * @property {string} folder in the workspace
 * @property {string} tarball
 * @property {readonly string[]} entries what a user may import: `@parsec/metrics/prometheus`
 * @property {readonly string[]} dependencies by name, optional peers included, neighbours not
 */

/**
 * Builds every package that is published and packs it, as `pnpm publish` would, into `folder`.
 *
 * @param {{ root: string, folder: string, signal: AbortSignal }} options
 * @returns {Promise<PackedPackage[]>}
 */
export async function packPackages({ root, folder, signal }) {
  /** @type {PackedPackage[]} */
  const packed = [];
  for (const name of (await readdir(join(root, "packages"))).sort()) {
    const source = join(root, "packages", name);
    const manifest = await readManifest(source);
    if (manifest === undefined || manifest.private) continue;
    checkRanges(manifest);
    const { dependencies = {}, peerDependencies = {} } = manifest;
    packed.push({
      name: manifest.name,
      folder: source,
      tarball: join(folder, `parsec-${name}-${manifest.version}.tgz`),
      entries: Object.keys(manifest.exports)
        .filter((entry) => entry !== "./package.json")
        .map((entry) => `${manifest.name}${entry.slice(1)}`),
      dependencies: Object.keys({ ...dependencies, ...peerDependencies }).filter(
        (dependency) => !dependency.startsWith("@parsec/"),
      ),
    });
  }
  const names = packed.map(({ name }) => name);
  if (!(await buildQuietly({ signal, packages: names }))) throw new Error("the build failed");
  const filters = names.flatMap((name) => ["--filter", name]);
  await runCommand("pnpm", ["--recursive", ...filters, "pack", "--pack-destination", folder], {
    cwd: root,
    signal,
  });
  return packed;
}

/**
 * @typedef {{ name: string, version: string, private?: boolean, exports: Record<string, unknown>,
 *   dependencies?: Record<string, string>, peerDependencies?: Record<string, string> }} Manifest
 */

/**
 * @param {string} folder
 * @returns {Promise<Manifest | undefined>}
 */
async function readManifest(folder) {
  const text = await readFile(join(folder, "package.json"), "utf8").catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

/**
 * An exact version would keep users from security patches.
 *
 * @param {Manifest} manifest
 */
function checkRanges({ name, dependencies = {}, peerDependencies = {} }) {
  for (const [dependency, version] of Object.entries({ ...dependencies, ...peerDependencies })) {
    if (/^(?:workspace:)?[~^]/.test(version)) continue;
    throw new Error(`${name}: ${dependency} must be a range beginning with ^ or ~, got ${version}`);
  }
}
