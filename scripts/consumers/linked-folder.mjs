import { mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runCommand } from "./run-command.mjs";

/**
 * Unpacks the packages into `folder/node_modules`, and links what they depend on to the workspace's
 * copies: as good as an installation, in a second and without a network. `@types/node` is not there.
 *
 * @param {{ folder: string, packages: readonly import("./packed-packages.mjs").PackedPackage[], signal: AbortSignal }} options
 */
export async function linkPackages({ folder, packages, signal }) {
  await writeFile(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  for (const { name, tarball, folder: source, dependencies } of packages) {
    const target = join(folder, "node_modules", name);
    await mkdir(target, { recursive: true });
    await runCommand("tar", ["-xzf", tarball, "--strip-components=1", "-C", target], {
      cwd: folder,
      signal,
    });
    for (const dependency of dependencies) {
      const link = join(folder, "node_modules", dependency);
      await mkdir(dirname(link), { recursive: true });
      const there = await realpath(join(source, "node_modules", dependency));
      await symlink(there, link).catch((/** @type {NodeJS.ErrnoException} */ error) => {
        if (error.code !== "EEXIST") throw error;
      });
    }
  }
}
