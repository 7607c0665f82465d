import { expect, it } from "vitest";
import { scenarios, shares } from "./scenarios.ts";

it("each scenario is in the share of exactly one transport", () => {
  const names = Object.values(shares).flatMap((share) => share.map(({ name }) => name));
  expect(names.toSorted()).toEqual(scenarios.map(({ name }) => name).toSorted());
});
