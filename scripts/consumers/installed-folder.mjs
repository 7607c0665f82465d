import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "./run-command.mjs";

const quietly = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"];

/**
 * The packed packages as dependencies of a manifest. Their dependencies on each other are satisfied by
 * the same tarballs, since none of them need be published yet.
 *
 * @param {readonly import("./packed-packages.mjs").PackedPackage[]} packages
 * @returns {Record<string, string>}
 */
export function tarballsOf(packages) {
  return Object.fromEntries(packages.map(({ name, tarball }) => [name, `file:${tarball}`]));
}

/**
 * Installs the packages and the consumer's own dependencies by npm.
 *
 * @param {{ folder: string, packages: readonly import("./packed-packages.mjs").PackedPackage[],
 *   dependencies: Readonly<Record<string, string>>, signal: AbortSignal }} options
 */
export async function installPackages({ folder, packages, dependencies, signal }) {
  const manifest = {
    private: true,
    type: "module",
    dependencies: { ...tarballsOf(packages), ...dependencies },
  };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest, undefined, 2));
  await runCommand("npm", ["install", ...quietly], { cwd: folder, signal });
}
