import { defineProject } from "vitest/config";

const conditions = ["@parsec/source"];

export default defineProject({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { testTimeout: 30_000 },
});
