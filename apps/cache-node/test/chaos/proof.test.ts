import { describeWithPrograms, type StartServer } from "@parsec/nats-fixtures";
import { createSeededRandom } from "@parsec/testkit";
import { test } from "vitest";
import { expectSound } from "./expect-sound.ts";
import { renderMeasures } from "./measure-table.ts";
import { planFaults, planFaultsOnDisk } from "./plan-faults.ts";
import { runChaos } from "./run-chaos.ts";

/*
 * The whole promise: no acknowledged write is lost, and no partition has two owners at once, over
 * PARSEC_CHAOS_ROUNDS kills, three leaves for ten of them, and some of everything else that can happen,
 * under load, with two copies; and the like with data on disk.
 */

const isCampaign = process.env.PARSEC_CAMPAIGN === "1";
const killCount = Number(process.env.PARSEC_CHAOS_ROUNDS ?? (isCampaign ? 100 : 0));
const seed = Number(process.env.PARSEC_CHAOS_SEED ?? Date.now() % 1_000_000);
/** Far more than a round takes. */
const timeoutMs = 240_000 + killCount * 40_000;

interface Proof {
  readonly name: string;
  readonly plan: typeof planFaults;
  readonly isPersistent: boolean;
  /** Puts figures into the report of the test. */
  readonly note: (figures: string) => Promise<unknown>;
}

async function prove(
  startNats: StartServer,
  { name, plan, isPersistent, note }: Proof,
): Promise<void> {
  const faults = plan(killCount, createSeededRandom(seed));
  const load = { clientCount: 12, restMs: 4 };
  const report = await runChaos({ seed, faults, startNats, isPersistent, ...load });
  const { acknowledged, failures, story, measures } = report;
  const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
  await note(
    [
      `${name}, seed ${seed}: ${story.length} faults, ${acknowledged} operations acknowledged, ${failed} failed: ${JSON.stringify(failures)}`,
      "p50 / p99 / max in ms, from the fault, of the keys of those it was done to:",
      renderMeasures(measures),
    ].join("\n"),
  );
  expectSound(report, seed);
}

if (killCount > 0) {
  describeWithPrograms((startNats, server) => {
    test(
      `nothing is lost and nobody owns twice, ${killCount} kills, seed ${seed}`,
      ({ annotate }) => {
        const proof = { name: server, plan: planFaults, isPersistent: false };
        return prove(startNats, { ...proof, note: annotate });
      },
      timeoutMs,
    );
    test(
      `nor on disk, when all end, seed ${seed}`,
      ({ annotate }) => {
        const proof = { name: `${server}, on disk`, plan: planFaultsOnDisk, isPersistent: true };
        return prove(startNats, { ...proof, note: annotate });
      },
      timeoutMs,
    );
  });
} else {
  test.skip("the long proof, which takes most of an hour: pnpm campaign chaos/proof", () => {});
}
