import { expect, it } from "vitest";
import { createSeededRandom } from "./seeded-random.ts";
import { createRandomStreams } from "./simulation/cluster/random-streams.ts";

function take(random: () => number, count: number): number[] {
  return Array.from({ length: count }, random);
}

it("returns the same numbers for a seed, and others for another seed", () => {
  expect(take(createSeededRandom(7), 20)).toEqual(take(createSeededRandom(7), 20));
  expect(take(createSeededRandom(7), 20)).not.toEqual(take(createSeededRandom(8), 20));
});

it("is distributed evenly over [0, 1)", () => {
  const buckets = new Array<number>(10).fill(0);
  for (const number of take(createSeededRandom(-3), 100_000)) {
    expect(number >= 0 && number < 1).toBe(true);
    buckets[Math.floor(number * 10)] = (buckets[Math.floor(number * 10)] as number) + 1;
  }
  for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500);
});

it("streams of one seed are independent of each other", () => {
  const alone = createRandomStreams(1)("left");
  const streams = createRandomStreams(1);
  const left: number[] = [];
  for (let round = 0; round < 10; round++) {
    left.push(streams("left")());
    streams("right")();
  }
  expect(left).toEqual(take(alone, 10));
  expect(left).not.toEqual(take(createRandomStreams(1)("right"), 10));
});
