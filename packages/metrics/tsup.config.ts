import { defineConfig } from "tsup";
export default defineConfig({
  entry: {
    prometheus: "src/prometheus/index.ts",
    opentelemetry: "src/opentelemetry/index.ts",
  },
  format: ["esm"],
  dts: true,
  clean: true,
  sourcemap: true,
  // Bundlers and Deno tell modules of Node by their prefix.
  removeNodeProtocol: false,
  // The sources are published beside the build: maps name them and need not contain them.
  esbuildOptions: (options) => {
    options.sourcesContent = false;
  },
  target: "node20",
});
