import { mergeConfig } from "vitest/config";
import project from "./vitest.config.ts";

// The long proof alone: `pnpm --filter @parsec/cache-node chaos`.
export default mergeConfig(project, {
  test: {
    include: ["test/chaos/proof.test.ts"],
    env: { PARSEC_CHAOS_ROUNDS: process.env.PARSEC_CHAOS_ROUNDS ?? "100" },
  },
});
