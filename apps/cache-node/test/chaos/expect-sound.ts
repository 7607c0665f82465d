import { expect } from "vitest";
import type { ChaosReport } from "./run-chaos.ts";

/** Fails with the story and the operations that contradict each other. */
export function expectSound(report: ChaosReport, seed: number): void {
  const { history, twoOwners, surprises, story } = report;
  const told = [`seed ${seed}`, ...story].join("\n");
  expect(
    history.violations.map(({ text }) => text),
    told,
  ).toEqual([]);
  expect(history.undecidedKeys, told).toEqual([]);
  expect(
    twoOwners.slice(0, 10).map(({ text }) => text),
    told,
  ).toEqual([]);
  expect(surprises.slice(0, 10), told).toEqual([]);
  // What is not asked proves nothing.
  expect(report.acknowledged, told).toBeGreaterThan(50 * (story.length + 1));
  expect(report.served, told).toBeGreaterThan(report.acknowledged / 2);
}
