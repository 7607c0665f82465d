import { expect, it } from "vitest";
import { interleavings } from "./interleavings.ts";

it("a normal run tries at least 20,000 interleavings; each campaign asserts that it ran its share", () => {
  const { calm, rolling, stormy } = interleavings;
  expect(calm + rolling + stormy).toBeGreaterThanOrEqual(20_000);
});
