import { expect, it } from "vitest";
import { scenarios, shares } from "./scenarios.ts";

it("each scenario runs over exactly one transport in pnpm test", () => {
  const names = Object.values(shares).flatMap((share) => share.map(({ name }) => name));
  expect(names.toSorted()).toEqual(scenarios.map(({ name }) => name).toSorted());
});
