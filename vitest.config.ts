import { defineConfig } from "vitest/config";
import { fromSource } from "./vitest.project.ts";

export default defineConfig({
  ...fromSource,
  test: {
    // The default leaves one core free. The longest files wait for processes most of the time, so that
    // two at once take little more than half as long.
    maxWorkers: "100%",
    projects: [
      "packages/*",
      "apps/*",
      "examples/*",
      "bench",
      "scenarios",
      "readmes",
      { test: { name: "scripts", include: ["scripts/**/*.test.mjs"] } },
    ],
  },
});
