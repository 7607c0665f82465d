import { defineConfig } from "vitest/config";

const conditions = ["@parsec/source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    // Vitest leaves one core free. The files that take longest wait for processes of their own most of
    // the time, so that two at once are done in little more than half the time.
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
