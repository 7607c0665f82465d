import { defineProject } from "vitest/config";

const conditions = ["@parsec/source"];

export default defineProject({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    globalSetup: ["src/build-programs.ts"],
    // Processes that start, stop and are waited for, on a machine that may be busy with other suites.
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
});
