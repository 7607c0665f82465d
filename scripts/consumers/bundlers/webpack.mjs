import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runBundle } from "./run-bundle.mjs";

/** @type {import("../consumer.mjs").Consumer} */
export const webpack = {
  name: "webpack",
  dependencies: { webpack: "5.113.0", "webpack-cli": "7.3.1" },
  programs: ["one-node.mjs", "cluster.mjs", "free-ports.mjs", "cluster-http.mjs"],
  async run(place) {
    await writeFile(
      join(place.folder, "webpack.config.mjs"),
      `export default {
  mode: "production",
  target: "node20",
  entry: { one: "./one-node.mjs", cluster: "./cluster-http.mjs" },
  experiments: { outputModule: true },
  output: { module: true, chunkFormat: "module", filename: "[name].mjs" },
};
`,
    );
    await place.exec("node_modules/.bin/webpack", ["build"]);
    await runBundle(place, "dist/one.mjs");
    await runBundle(place, "dist/cluster.mjs");
  },
};
