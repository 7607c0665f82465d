import { defineProject } from "vitest/config";
import { fromSource } from "../../vitest.project.ts";

export default defineProject({
  ...fromSource,
  // Real processes and connections, on a machine that may be busy with other suites.
  test: { testTimeout: 60_000, hookTimeout: 60_000 },
});
