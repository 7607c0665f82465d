import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";

const memberFolders = ["packages", "apps", "examples"];
/** Members that lie at the root. */
const rootMembers = ["scenarios"];
/** Stands between tests and their servers: who depends on it asks for what it asks for. */
const fixtures = ["nats-fixtures"];
const skipped = /(^|\/)(node_modules|dist|temp|coverage)(\/|$)/;

/**
 * Which servers the tests ask for. A test asks by reading the server's variable, so there is no
 * second list to keep: a member needs a server when any of its sources, or of fixtures that it depends on,
 * names the variable.
 *
 * @param {readonly import("./server.d.ts").Server[]} servers
 * @param {{ root: string, filters: readonly string[] }} options `filters` are vitest's: parts of the
 *   paths of test files; none means all
 */
export async function neededServers(servers, { root, filters }) {
  /** @type {Set<import("./server.d.ts").Server>} */
  const needed = new Set();
  const parts = filters.flatMap((filter) => {
    const path = filter.replace(/:\d+$/, "");
    return [path, relative(root, resolve(root, path))];
  });
  for (const member of await listMembers(root)) {
    const sources = await listSources(root, member);
    const tests = sources.filter((path) => /\.test\.[cm]?[jt]sx?$/.test(path));
    if (!tests.some((path) => parts.length === 0 || parts.some((part) => path.includes(part))))
      continue;
    for (const path of [...sources, ...(await listFixtureSources(root, member))]) {
      const text = await readFile(join(root, path), "utf8");
      for (const server of servers) if (text.includes(server.variable)) needed.add(server);
    }
  }
  return [...needed];
}

/**
 * @param {string} root
 * @param {string} member
 */
async function listFixtureSources(root, member) {
  const manifest = await readFile(join(root, member, "package.json"), "utf8").catch(() => "");
  const used = fixtures.filter((name) => manifest.includes(`"@parsec/${name}"`));
  return (await Promise.all(used.map((name) => listSources(root, name)))).flat();
}

/** @param {string} root */
async function listMembers(root) {
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
 * @returns {Promise<string[]>} paths from the root, with forward slashes
 */
async function listSources(root, folder) {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const lists = entries.map(async (entry) => {
    const path = `${folder}/${entry.name}`;
    if (skipped.test(path)) return [];
    if (entry.isDirectory()) return listSources(root, path);
    return /\.[cm]?[jt]sx?$/.test(entry.name) ? [path] : [];
  });
  return (await Promise.all(lists)).flat();
}
