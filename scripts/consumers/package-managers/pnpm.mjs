import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tarballsOf } from "../installed-folder.mjs";
import { clusterPrograms, metricsPeers, writeImports } from "./npm.mjs";

/** @type {import("../consumer.mjs").Consumer} */
export const pnpm = {
  name: "pnpm",
  installed: "by itself",
  programs: clusterPrograms,
  async run(place) {
    const { folder, packages, exec } = place;
    const overrides = tarballsOf(packages);
    const dependencies = { ...overrides, ...metricsPeers };
    const manifest = { private: true, type: "module", dependencies, pnpm: { overrides } };
    await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
    await exec("npx", [
      "--yes",
      "pnpm@10.34.9",
      "install",
      "--ignore-workspace",
      "--prefer-offline",
    ]);
    await writeImports(place);
    for (const program of ["import-all.mjs", "one-node.mjs", "cluster-http.mjs"]) {
      await exec(process.execPath, [program]);
    }
  },
};
