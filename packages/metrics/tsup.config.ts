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
  target: "node20",
});
