import { defineConfig } from "vitest/config";

const conditions = ["@parsec/source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    projects: [
      "packages/*",
      "apps/*",
      "examples/*",
      "bench",
      "scenarios",
      { test: { name: "scripts", include: ["scripts/**/*.test.mjs"] } },
    ],
  },
});
