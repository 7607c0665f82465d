const allowed = ["--allow-net", "--allow-env", "--allow-read"];

/** @type {import("../consumer.mjs").Consumer} */
export const deno = {
  name: "deno",
  dependencies: { deno: "2.9.6" },
  programs: [
    "one-node.mjs",
    "cluster.mjs",
    "free-ports.mjs",
    "cluster-http.mjs",
    "cluster-grpc.mjs",
  ],
  async run({ exec }) {
    await exec("node_modules/.bin/deno", ["run", ...allowed, "one-node.mjs"]);
    await exec("node_modules/.bin/deno", ["run", ...allowed, "cluster-http.mjs"]);
    // grpc-js asks the system for its name and version.
    await exec("node_modules/.bin/deno", ["run", ...allowed, "--allow-sys", "cluster-grpc.mjs"]);
  },
};
