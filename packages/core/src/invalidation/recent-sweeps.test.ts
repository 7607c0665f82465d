import { expect, it } from "vitest";
import { SteppedClock } from "../../test/stepped-clock.ts";
import { RecentSweeps } from "./recent-sweeps.ts";
import { absentTag } from "./tag-index.ts";

/** An invalidation is twice round the cluster after 200 ms here. */
function setUp(): { clock: SteppedClock; sweeps: RecentSweeps } {
  const clock = new SteppedClock();
  return { clock, sweeps: new RecentSweeps(clock, 100) };
}

it("concerns what carries a tag that was invalidated, before or after it was read", async () => {
  const { clock, sweeps } = setUp();
  sweeps.note({ kind: "tag", tag: "red" });
  await clock.advance(50);
  const readAt = clock.now();
  sweeps.note({ kind: "tag", tag: "blue" });
  expect(sweeps.mayConcern(["red"], readAt)).toBe(true);
  expect(sweeps.mayConcern(["green", "blue"], readAt)).toBe(true);
  expect(sweeps.mayConcern(["green"], readAt)).toBe(false);
  expect(sweeps.mayConcern([], readAt)).toBe(false);
});

it("concerns the absence of a value with every tag", () => {
  const { clock, sweeps } = setUp();
  expect(sweeps.mayConcern([absentTag], clock.now())).toBe(false);
  sweeps.note({ kind: "tag", tag: "red" });
  expect(sweeps.mayConcern([absentTag], clock.now())).toBe(true);
});

it("concerns everything after the whole group was invalidated, and nothing for keys", () => {
  const { clock, sweeps } = setUp();
  sweeps.note({ kind: "keys", keys: ["k"] });
  expect(sweeps.mayConcern([], clock.now())).toBe(false);
  sweeps.note({ kind: "all" });
  expect(sweeps.mayConcern([], clock.now())).toBe(true);
});

it("is over when the invalidation has been everywhere twice", async () => {
  const { clock, sweeps } = setUp();
  sweeps.note({ kind: "tag", tag: "red" });
  sweeps.note({ kind: "all" });
  await clock.advance(200);
  expect(sweeps.mayConcern(["red"], clock.now())).toBe(true);
  await clock.advance(1);
  expect(sweeps.mayConcern(["red"], clock.now())).toBe(false);
});

it("knows what was swept around a time of reading that is long past, and distrusts an older one", async () => {
  const { clock, sweeps } = setUp();
  sweeps.note({ kind: "tag", tag: "red" });
  await clock.advance(100);
  const readAt = clock.now();
  await clock.advance(200);
  sweeps.note({ kind: "tag", tag: "blue" });
  expect(sweeps.mayConcern(["red"], readAt)).toBe(true);
  expect(sweeps.mayConcern(["green"], readAt)).toBe(false);
  await clock.advance(1);
  expect(sweeps.mayConcern(["green"], readAt)).toBe(true);
});

it("takes everything for swept when there are too many tags to remember", async () => {
  const { clock, sweeps } = setUp();
  for (let index = 0; index < 20_000; index++) {
    sweeps.note({ kind: "tag", tag: `tag ${index}` });
    if (index === 9_000) expect(sweeps.mayConcern(["green"], clock.now())).toBe(false);
  }
  expect(sweeps.mayConcern(["green"], clock.now())).toBe(true);
  await clock.advance(201);
  expect(sweeps.mayConcern(["green"], clock.now())).toBe(false);
});
