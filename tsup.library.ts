/** How every published package is built: ESM for the oldest Node, with declarations and source maps. */
export const library = {
  entry: ["src/index.ts"],
  format: ["esm" as const],
  dts: true,
  clean: true,
  sourcemap: true,
  // Bundlers and Deno tell modules of Node by their prefix.
  removeNodeProtocol: false,
  // The sources are published beside the build: maps name them and need not contain them.
  esbuildOptions(options: { sourcesContent?: boolean }): void {
    options.sourcesContent = false;
  },
  target: "node20",
};
