import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { listSources, selectTests } from "../test-run/selected-tests.mjs";

/** Fixtures that use servers: a member that depends on them needs their servers. */
const fixtures = ["nats-fixtures"];
/** Their tests name the variables without using the servers. */
const withoutServers = ["scripts"];

/**
 * The servers that the selected tests ask for. A test asks by reading the server's variable, so there
 * is no second list to keep: a member needs a server when any of its sources, or of fixtures that it
 * depends on, names the variable.
 *
 * @param {readonly import("./server.d.ts").Server[]} servers
 * @param {{ root: string, filters: readonly string[] }} options `filters` are vitest's: parts of the
 *   paths of test files; none means all
 */
export async function neededServers(servers, { root, filters }) {
  /** @type {Set<import("./server.d.ts").Server>} */
  const needed = new Set();
  for (const { folder, sources } of await selectTests(root, filters)) {
    if (withoutServers.includes(folder)) continue;
    for (const path of [...sources, ...(await listFixtureSources(root, folder))]) {
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
