import { describeWithOneProgram } from "@parsec/nats-fixtures";
import { expect, test } from "vitest";
import { runChaos } from "./run-chaos.ts";

/* What finds nothing proves nothing: here there is something to be found. */

const seed = 5;
const timeoutMs = 120_000;

describeWithOneProgram((startNats) => {
  test.concurrent(
    "with one copy only, what a killed node held is missed",
    async () => {
      // Enough writes that the killed node holds values that no later write hides.
      const plan = { replicas: 1, hasDeletes: false, firstCount: 400 };
      const report = await runChaos({ ...plan, seed, faults: ["kill"], startNats });
      expect(report.history.verdict).toBe("violated");
      expect(report.history.violations[0]?.text).toContain("no order explains");
      expect(report.twoOwners).toEqual([]);
    },
    timeoutMs,
  );

  test.concurrent(
    "two rings that pass for one are found to own every partition twice",
    async () => {
      const report = await runChaos({
        seed,
        faults: [],
        isWhole: false,
        ringOf: (id) => (id === "c" ? "two" : "one"),
        startNats,
      });
      expect(report.history.verdict).toBe("violated");
      expect(report.twoOwners.map(({ kind }) => kind)).toContain("overlap");
    },
    timeoutMs,
  );
});
