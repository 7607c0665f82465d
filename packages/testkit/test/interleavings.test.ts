import { afterEach, beforeEach, expect, it, vi } from "vitest";

beforeEach(() => vi.resetModules());
afterEach(() => vi.unstubAllEnvs());

it.each([
  ["a test run", "", 5_000],
  ["a campaign", "1", 100_000],
])("%s runs at least its number of interleavings", async (_, campaign, count) => {
  vi.stubEnv("PARSEC_CAMPAIGN", campaign);
  const { calm, rolling, stormy } = (await import("./interleavings.ts")).interleavings;
  expect(calm + rolling + stormy).toBeGreaterThanOrEqual(count);
});
