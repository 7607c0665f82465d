import { defineProject } from "vitest/config";
import { fromSource } from "../../vitest.project.ts";

export default defineProject({
  ...fromSource,
  test: {
    globalSetup: ["test/build-programs.ts"],
    // Real processes on a machine that may be busy with other suites.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
  },
});
