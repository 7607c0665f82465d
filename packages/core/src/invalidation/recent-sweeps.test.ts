import { expect, it } from "vitest";
import { SteppedClock } from "../../test/stepped-clock.ts";
import { absentTag } from "./absent-tag.ts";
import { FenceTable } from "./fences.ts";
import { RecentSweeps } from "./recent-sweeps.ts";

/** Both rounds of a sweep take at most 200 ms here. */
function setUp(): { clock: SteppedClock; sweeps: RecentSweeps } {
  const clock = new SteppedClock();
  const fences = new FenceTable();
  return { clock, sweeps: new RecentSweeps({ clock, timeoutMs: 100, fences }) };
}

it("mayConcern is true for entries with an invalidated tag, whether read before or after", async () => {
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

it("mayConcern is true for negative entries after the invalidation of any tag", () => {
  const { clock, sweeps } = setUp();
  expect(sweeps.mayConcern([absentTag], clock.now())).toBe(false);
  sweeps.note({ kind: "tag", tag: "red" });
  expect(sweeps.mayConcern([absentTag], clock.now())).toBe(true);
});

it("mayConcern is true for all entries after invalidateAll, and for none after keys", () => {
  const { clock, sweeps } = setUp();
  sweeps.note({ kind: "keys", keys: ["k"] });
  expect(sweeps.mayConcern([], clock.now())).toBe(false);
  sweeps.note({ kind: "all" });
  expect(sweeps.mayConcern([], clock.now())).toBe(true);
});

it("mayConcern is false once both rounds are complete", async () => {
  const { clock, sweeps } = setUp();
  sweeps.note({ kind: "tag", tag: "red" });
  sweeps.note({ kind: "all" });
  await clock.advance(200);
  expect(sweeps.mayConcern(["red"], clock.now())).toBe(true);
  await clock.advance(1);
  expect(sweeps.mayConcern(["red"], clock.now())).toBe(false);
});

it("mayConcern remembers sweeps around the time of reading, and is true for older entries", async () => {
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

it("mayConcern is true for all entries when too many tags were invalidated", async () => {
  const { clock, sweeps } = setUp();
  for (let index = 0; index < 20_000; index++) {
    sweeps.note({ kind: "tag", tag: `tag ${index}` });
    if (index === 9_000) expect(sweeps.mayConcern(["green"], clock.now())).toBe(false);
  }
  expect(sweeps.mayConcern(["green"], clock.now())).toBe(true);
  await clock.advance(201);
  expect(sweeps.mayConcern(["green"], clock.now())).toBe(false);
});
