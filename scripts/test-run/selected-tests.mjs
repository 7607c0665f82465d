import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, relative, resolve } from "node:path";

/**
 * A folder of the workspace with at least one selected test file.
 *
 * @typedef {object} SelectedMember
 * @property {string} folder such as `packages/core`
 * @property {string[]} tests the selected test files
 * @property {string[]} sources all its source files, tests included
 */

const memberFolders = ["packages", "apps", "examples"];
/** Members that lie at the root. */
const rootMembers = ["scenarios", "nats-fixtures", "bench", "scripts"];
const skipped = /(^|\/)(node_modules|dist|temp|coverage)(\/|$)/;
const testFile = /\.test\.[cm]?[jt]sx?$/;

/**
 * Selects test files the way vitest does. All paths are relative to the root, with forward slashes.
 *
 * @param {string} root
 * @param {readonly string[]} filters vitest's: parts of the paths of test files; none means all
 * @returns {Promise<SelectedMember[]>}
 */
export async function selectTests(root, filters) {
  const parts = filters.flatMap((filter) => {
    const path = filter.replace(/:\d+$/, "");
    return [path, relative(root, resolve(root, path))];
  });
  const members = (await listMembers(root)).map(async (folder) => {
    const sources = await listSources(root, folder);
    const tests = sources
      .filter((path) => testFile.test(path))
      .filter((path) => parts.length === 0 || parts.some((part) => path.includes(part)));
    return { folder, tests, sources };
  });
  return (await Promise.all(members)).filter(({ tests }) => tests.length > 0);
}

/** @param {string} path */
export function isTestFile(path) {
  return testFile.test(path);
}

/**
 * The folders of the workspace, and `scripts`.
 *
 * @param {string} root
 */
export async function listMembers(root) {
  const lists = memberFolders.map(async (folder) => {
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => []);
    return entries.filter((entry) => entry.isDirectory()).map((entry) => `${folder}/${entry.name}`);
  });
  const present = rootMembers.filter((member) => existsSync(join(root, member)));
  return [...(await Promise.all(lists)).flat(), ...present];
}

/**
 * @param {string} root
 * @param {string} folder
 * @returns {Promise<string[]>}
 */
export async function listSources(root, folder) {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const lists = entries.map(async (entry) => {
    const path = `${folder}/${entry.name}`;
    if (skipped.test(path)) return [];
    if (entry.isDirectory()) return listSources(root, path);
    return /\.[cm]?[jt]sx?$/.test(entry.name) ? [path] : [];
  });
  return (await Promise.all(lists)).flat();
}
