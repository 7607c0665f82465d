import { defineConfig } from "vitest/config";

const conditions = ["@parsec/source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
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
