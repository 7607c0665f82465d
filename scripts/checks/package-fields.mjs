/**
 * A package.json as far as this file reads it.
 *
 * @typedef {object} Manifest
 * @property {string} [name]
 * @property {boolean} [private]
 * @property {string[]} [keywords]
 * @property {string} [homepage]
 * @property {{ url: string }} [bugs]
 * @property {{ type: string, url: string, directory?: string }} [repository]
 */

const minKeywords = 3;

/**
 * The fields of a published package that follow from the repository's address, which stands in the
 * root's `repository.url` alone.
 *
 * @param {Manifest} root
 * @param {string} folder the package's, such as `packages/core`
 */
export function addressFields(root, folder) {
  const url = root.repository?.url ?? "";
  const page = url.replace(/^git\+/, "").replace(/\.git$/, "");
  return {
    homepage: `${page}/tree/main/${folder}#readme`,
    bugs: { url: `${page}/issues` },
    repository: { type: "git", url, directory: folder },
  };
}

/**
 * @param {Manifest} root
 * @param {ReadonlyMap<string, Manifest>} packages by folder
 * @returns {string[]} one line for each field that is missing or differs
 */
export function packageFieldProblems(root, packages) {
  /** @type {string[]} */
  const problems = [];
  for (const [folder, manifest] of packages) {
    if (manifest.private) continue;
    for (const [field, value] of Object.entries(addressFields(root, folder))) {
      const expected = JSON.stringify(value);
      const found = JSON.stringify(manifest[/** @type {keyof Manifest} */ (field)]);
      if (found !== expected)
        problems.push(`${folder}/package.json: ${field} must be ${expected}, got ${found}`);
    }
    const count = manifest.keywords?.length ?? 0;
    if (count < minKeywords)
      problems.push(
        `${folder}/package.json: keywords must have at least ${minKeywords} entries, got ${count}`,
      );
  }
  return problems;
}
