import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { runBundle } from "./run-bundle.mjs";

/** The workspace's own, which tsup brings. It has no plugin that finds packages, so core is found for it. */
const ownRollup = () => {
  const fromCore = createRequire(new URL("../../../packages/core/package.json", import.meta.url));
  return createRequire(fromCore.resolve("tsup")).resolve("rollup/dist/bin/rollup");
};

/** @type {import("../consumer.mjs").Consumer} */
export const rollupModule = {
  name: "rollup of core",
  quick: true,
  programs: ["one-node.mjs"],
  async run(place) {
    await writeFile(
      join(place.folder, "rollup.own.mjs"),
      `import { fileURLToPath } from "node:url";
const own = { name: "own", resolveId: (id) => id.startsWith("@parsec/") ? fileURLToPath(import.meta.resolve(id)) : null };
export default { input: "one-node.mjs", external: /^node:/, plugins: [own], output: { file: "rollup/one-node.mjs" } };
`,
    );
    await place.exec(process.execPath, [
      ownRollup(),
      "--config",
      "rollup.own.mjs",
      "--failAfterWarnings",
    ]);
    await runBundle(place, "rollup/one-node.mjs");
  },
};

/** @type {import("../consumer.mjs").Consumer} */
export const rollup = {
  name: "rollup",
  dependencies: {
    rollup: "4.68.8",
    "@rollup/plugin-node-resolve": "16.0.3",
    "@rollup/plugin-commonjs": "29.0.3",
    "@rollup/plugin-json": "6.1.0",
  },
  programs: ["one-node.mjs", "cluster.mjs", "free-ports.mjs", "cluster-http.mjs"],
  async run(place) {
    await writeFile(
      join(place.folder, "rollup.config.mjs"),
      `import commonjs from "@rollup/plugin-commonjs";
import json from "@rollup/plugin-json";
import { nodeResolve } from "@rollup/plugin-node-resolve";
export default ["one-node", "cluster-http"].map((name) => ({
  input: name + ".mjs",
  // undici asks for it only where an application does; hoisted, Node 20 would not start.
  plugins: [nodeResolve({ preferBuiltins: true }), commonjs({ ignore: ["node:sqlite"] }), json()],
  output: { file: "out/" + name + ".mjs", inlineDynamicImports: true },
}));
`,
    );
    await place.exec("node_modules/.bin/rollup", ["--config"]);
    await runBundle(place, "out/one-node.mjs");
    await runBundle(place, "out/cluster-http.mjs");
  },
};
