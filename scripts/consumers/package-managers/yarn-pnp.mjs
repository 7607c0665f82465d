import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tarballsOf } from "../installed-folder.mjs";
import { clusterPrograms, metricsPeers, writeImports } from "./npm.mjs";

/** @type {import("../consumer.mjs").Consumer} */
export const yarnPnp = {
  name: "yarn pnp",
  installed: "by itself",
  programs: clusterPrograms,
  async run(place) {
    const { folder, packages, exec } = place;
    const resolutions = tarballsOf(packages);
    const dependencies = { ...resolutions, ...metricsPeers };
    const manifest = { private: true, type: "module", dependencies, resolutions };
    await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
    // Makes this folder a project of its own.
    await writeFile(join(folder, "yarn.lock"), "");
    const answer = await exec("npm", ["config", "get", "registry"]);
    // Yarn does not read npm's configuration.
    const registry = /^https?:\S+/m.exec(answer)?.[0];
    const env = {
      ...(registry === undefined ? {} : { YARN_NPM_REGISTRY_SERVER: registry }),
      YARN_NODE_LINKER: "pnp",
      YARN_ENABLE_TELEMETRY: "false",
      YARN_ENABLE_GLOBAL_CACHE: "false",
      YARN_ENABLE_IMMUTABLE_INSTALLS: "false",
    };
    /** @param {readonly string[]} args */
    const yarn = (args) =>
      exec("npx", ["--yes", "-p", "@yarnpkg/cli-dist@4.18.1", "yarn", ...args], { env });
    await yarn(["install"]);
    await writeImports(place);
    for (const program of ["import-all.mjs", "one-node.mjs", "cluster-http.mjs"]) {
      await yarn(["node", program]);
    }
  },
};
