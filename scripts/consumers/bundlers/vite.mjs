import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** @type {import("../consumer.mjs").Consumer} */
export const vite = {
  name: "vite",
  dependencies: { vite: "8.4.0" },
  programs: ["one-node.mjs", "cluster.mjs", "free-ports.mjs", "cluster-http.mjs"],
  async run(place) {
    await writeFile(
      join(place.folder, "vite.config.mjs"),
      `export default {
  ssr: { noExternal: true },
  build: { ssr: true, target: "node20", rolldownOptions: { input: { one: "one-node.mjs", cluster: "cluster-http.mjs" }, output: { entryFileNames: "[name].mjs" } } },
};
`,
    );
    await place.exec("node_modules/.bin/vite", ["build", "--logLevel", "warn"]);
    await place.exec(process.execPath, ["dist/one.mjs"]);
    await place.exec(process.execPath, ["dist/cluster.mjs"]);
  },
};
