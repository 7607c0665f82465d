import { defineConfig } from "tsup";
import { library } from "../../tsup.library.ts";

export default defineConfig({
  ...library,
  entry: {
    prometheus: "src/prometheus/index.ts",
    opentelemetry: "src/opentelemetry/index.ts",
  },
});
