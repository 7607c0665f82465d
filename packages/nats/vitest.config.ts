import { defineProject } from "vitest/config";

const conditions = ["@parsec/source"];

export default defineProject({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  // Real processes and connections, on a machine that may be busy with other suites.
  test: { testTimeout: 60_000, hookTimeout: 60_000 },
});
