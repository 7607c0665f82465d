import { constants } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { delimiter, join } from "node:path";

/**
 * Looks for a program on PATH, then in the folders given.
 *
 * @param {string} name
 * @param {readonly string[]} [alsoIn]
 * @returns {Promise<string | undefined>} its path
 */
export async function findProgram(name, alsoIn = []) {
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), ...alsoIn]) {
    if (folder === "") continue;
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return undefined;
}

/**
 * The folders that Debian and its relatives keep one PostgreSQL each in, newest version first.
 *
 * @returns {Promise<string[]>}
 */
export async function debianPostgresFolders() {
  const root = "/usr/lib/postgresql";
  const versions = await readdir(root).catch(() => []);
  return versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(root, version, "bin"));
}
