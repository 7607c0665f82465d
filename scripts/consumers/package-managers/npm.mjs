import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadableEntries } from "../consumer.mjs";

/** What the optional peers of `@parsec/metrics` resolve to. */
export const metricsPeers = { "@opentelemetry/api": "1.9.1", "prom-client": "15.1.3" };

export const clusterPrograms = [
  "one-node.mjs",
  "cluster.mjs",
  "free-ports.mjs",
  "cluster-http.mjs",
];

/**
 * Writes a program that imports every entry.
 *
 * @param {import("../consumer.mjs").ConsumerPlace} place
 */
export async function writeImports(place) {
  const lines = loadableEntries(place).map((entry) => `await import("${entry}");`);
  await writeFile(join(place.folder, "import-all.mjs"), lines.join("\n"));
}

/** @type {import("../consumer.mjs").Consumer} */
export const npm = {
  name: "npm",
  dependencies: metricsPeers,
  programs: [...clusterPrograms, "cluster-grpc.mjs"],
  async run(place) {
    await writeImports(place);
    for (const program of [
      "import-all.mjs",
      "one-node.mjs",
      "cluster-http.mjs",
      "cluster-grpc.mjs",
    ]) {
      await place.exec(process.execPath, [program]);
    }
  },
};
