import { defineProject } from "vitest/config";
import { fromSource } from "../vitest.project.ts";

export default defineProject({
  ...fromSource,
  test: {
    globalSetup: ["src/build-programs.ts"],
    // Processes that start, stop and are waited for, on a machine that may be busy with other suites.
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
});
