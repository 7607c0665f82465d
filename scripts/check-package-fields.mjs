// Compares `repository`, `homepage` and `bugs` of every published package with the address in the root's
// package.json. `--fix` writes them: run it after changing the address.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { addressFields, packageFieldProblems } from "./checks/package-fields.mjs";

process.chdir(new URL("..", import.meta.url).pathname);
/** @param {string} folder @returns {Promise<import("./checks/package-fields.mjs").Manifest>} */
const read = async (folder) => JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
const root = await read(".");
const folders = (await readdir("packages")).map((name) => `packages/${name}`);
const packages = new Map(
  await Promise.all(
    folders.map(async (folder) => /** @type {const} */ ([folder, await read(folder)])),
  ),
);

if (process.argv.includes("--fix")) {
  for (const [folder, manifest] of packages) {
    if (manifest.private) continue;
    Object.assign(manifest, addressFields(root, folder));
    await writeFile(`${folder}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  }
}
const problems = packageFieldProblems(root, packages);
for (const problem of problems) console.log(problem);
if (problems.length > 0) {
  console.log("\nnode scripts/check-package-fields.mjs --fix writes all but the keywords.");
  process.exitCode = 1;
}
