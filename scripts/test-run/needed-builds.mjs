import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isTestFile, selectTests } from "./selected-tests.mjs";

/** A built program, in this member or, behind the folder's name, in another. */
const builtProgram = /(?:\.\.\/((?:packages|apps|examples)\/[\w-]+)\/)?\bdist\/[\w-]+\.js\b/g;

/**
 * The packages that have to be built before the selected tests run. Most tests read the sources of
 * their neighbours. A test asks for a build by naming a program in a `dist` folder, so there is no
 * second list to keep.
 *
 * @param {string} root
 * @param {readonly string[]} filters vitest's: parts of the paths of test files; none means all
 * @returns {Promise<string[]>} package names
 */
export async function neededBuilds(root, filters) {
  /** @type {Set<string>} */
  const folders = new Set();
  for (const { folder, tests, sources } of await selectTests(root, filters)) {
    for (const path of [...tests, ...sources.filter((source) => !isTestFile(source))]) {
      const text = await readFile(join(root, path), "utf8");
      for (const [, other] of text.matchAll(builtProgram)) folders.add(other ?? folder);
    }
  }
  const names = [...folders].map((folder) => nameOfBuildable(root, folder));
  return (await Promise.all(names)).filter((name) => name !== undefined).sort();
}

/**
 * @param {string} root
 * @param {string} folder
 * @returns {Promise<string | undefined>} the package's name when it has a build script
 */
async function nameOfBuildable(root, folder) {
  const text = await readFile(join(root, folder, "package.json"), "utf8").catch(() => "{}");
  /** @type {{ name?: string, scripts?: Record<string, string> }} */
  const { name, scripts } = JSON.parse(text);
  return scripts?.build === undefined ? undefined : name;
}
