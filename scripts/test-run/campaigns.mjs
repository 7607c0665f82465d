/** The test files that `pnpm campaign` runs at full length, as vitest's filters. */
export const campaigns = [
  "packages/testkit/src/linearizability/linearization-search.test.ts",
  "packages/testkit/test/simulation-",
  "scenarios/src/",
  "apps/cache-node/src/persist/damage",
  "bench/src/memory-shapes",
  "packages/transport-grpc/test/strangers",
  "packages/transport-http/test/strangers",
  "apps/cache-node/test/chaos/",
  "apps/cache-node/test/restarts",
];
