import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/main.ts", "src/plot.ts", "src/programs/*.ts"],
  format: ["esm"],
  // Large, and a development dependency only, which tsup would bundle.
  external: ["@observablehq/plot", "linkedom"],
  clean: true,
  target: "node20",
});
