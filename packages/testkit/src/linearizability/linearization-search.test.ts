import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLinearizableByEveryOrder } from "../../test/every-order.ts";
import { arbitraryHistories, runAtomicRegister } from "../../test/register-histories.ts";
import { searchLinearization } from "./linearization-search.ts";
import { createRegisterProblem } from "./register-problem.ts";

const manyPoints = 1_000_000;
const isCampaign = process.env.PARSEC_CAMPAIGN === "1";
const historyCount = isCampaign ? 1_000_000 : 20_000;

describe("searchLinearization", () => {
  it("agrees with a trial of every order", { timeout: historyCount }, async ({ annotate }) => {
    const seen = { linearizable: 0, violated: 0, undecided: 0 };
    fc.assert(
      fc.property(arbitraryHistories(), (history) => {
        const { verdict } = searchLinearization(createRegisterProblem(history), manyPoints);
        seen[verdict] += 1;
        const expected = isLinearizableByEveryOrder(history) ? "linearizable" : "violated";
        expect(verdict).toBe(expected);
      }),
      { numRuns: historyCount, seed: 4 },
    );
    expect(seen.linearizable).toBeGreaterThan(1000);
    expect(seen.violated).toBeGreaterThan(1000);
    expect(seen.undecided).toBe(0);
    await annotate(`${seen.linearizable} linearizable histories, ${seen.violated} others`);
  });

  it("visits few more points than there are operations", () => {
    for (const maxDurationMs of [1, 12, 40]) {
      const history = runAtomicRegister(maxDurationMs, {
        operationCount: 2000,
        maxDurationMs,
        hasDeletes: true,
      });
      const outcome = searchLinearization(createRegisterProblem(history), manyPoints);
      expect(outcome.verdict).toBe("linearizable");
      expect(outcome.pointCount).toBeLessThan(20 * history.length);
    }
  });
});
