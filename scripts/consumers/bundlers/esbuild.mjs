import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { runBundle } from "./run-bundle.mjs";

/** The workspace's own: tsup builds with it. */
const ownEsbuild = () => {
  const fromCore = createRequire(new URL("../../../packages/core/package.json", import.meta.url));
  return createRequire(fromCore.resolve("tsup")).resolve("esbuild/bin/esbuild");
};

/** What all of @parsec/core may add to a bundle, compressed by brotli and not minified. */
const maxCoreBytes = 43_500;

const toNode = ["--bundle", "--platform=node", "--target=node20"];

/** @type {import("../consumer.mjs").Consumer} */
export const esbuildModule = {
  name: "esbuild esm",
  quick: true,
  programs: ["one-node.mjs"],
  async run(place) {
    const args = ["one-node.mjs", ...toNode, "--format=esm", "--outfile=esbuild/one-node.mjs"];
    await place.exec(ownEsbuild(), args);
    await runBundle(place, "esbuild/one-node.mjs");
  },
};

/** @type {import("../consumer.mjs").Consumer} */
export const sizeOfCore = {
  name: "size of core",
  quick: true,
  programs: ["all-of-core.mjs"],
  async run(place) {
    const args = ["all-of-core.mjs", ...toNode, "--format=esm", "--outfile=esbuild/core.mjs"];
    await place.exec(ownEsbuild(), args);
    const { length } = brotliCompressSync(await readFile(join(place.folder, "esbuild/core.mjs")));
    if (length <= maxCoreBytes) return;
    throw new Error(`all of core takes ${length} bytes in a bundle, the limit is ${maxCoreBytes}`);
  },
};

/** @type {import("../consumer.mjs").Consumer} */
export const esbuild = {
  name: "esbuild",
  dependencies: { esbuild: "0.28.2" },
  programs: ["one-node.mjs", "cluster.mjs", "free-ports.mjs", "cluster-http.mjs"],
  async run(place) {
    const program = "node_modules/esbuild/bin/esbuild";
    await place.exec(program, ["one-node.mjs", ...toNode, "--format=esm", "--outfile=out/one.mjs"]);
    await runBundle(place, "out/one.mjs");
    // undici is CommonJS, and requires modules of Node: as an ES module it needs a require of its own.
    const require =
      "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
    await place.exec(program, [
      ...["cluster-http.mjs", ...toNode, "--format=esm", "--outfile=out/cluster.mjs"],
      `--banner:js=${require}`,
    ]);
    await runBundle(place, "out/cluster.mjs");
  },
};
