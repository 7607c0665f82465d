/** @type {import("../consumer.mjs").Consumer} */
export const bun = {
  name: "bun",
  dependencies: { bun: "1.4.5" },
  programs: [
    "one-node.mjs",
    "cluster.mjs",
    "free-ports.mjs",
    "cluster-http.mjs",
    "cluster-grpc.mjs",
  ],
  async run({ exec }) {
    for (const program of ["one-node.mjs", "cluster-http.mjs", "cluster-grpc.mjs"]) {
      await exec("node_modules/.bin/bun", ["run", program]);
    }
  },
};
