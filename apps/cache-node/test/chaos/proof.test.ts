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

const killCount = Number(process.env.PARSEC_CHAOS_ROUNDS ?? 0);
const seed = Number(process.env.PARSEC_CHAOS_SEED ?? Date.now() % 1_000_000);
/** Far more than a round takes. */
const timeoutMs = 240_000 + killCount * 40_000;

async function prove(
  startNats: StartServer,
  { name, plan, isPersistent }: { name: string; plan: typeof planFaults; isPersistent: boolean },
): Promise<void> {
  const faults = plan(killCount, createSeededRandom(seed));
  const load = { clientCount: 12, restMs: 4 };
  const report = await runChaos({ seed, faults, startNats, isPersistent, ...load });
  const { acknowledged, failures, story, measures } = report;
  const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
  console.info(
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
      () => prove(startNats, { name: server, plan: planFaults, isPersistent: false }),
      timeoutMs,
    );
    test(
      `nor on disk, when all end, seed ${seed}`,
      () => {
        const name = `${server}, on disk`;
        return prove(startNats, { name, plan: planFaultsOnDisk, isPersistent: true });
      },
      timeoutMs,
    );
  });
} else {
  test.skip("the long proof, which takes most of an hour: it runs when PARSEC_CHAOS_ROUNDS says how many kills", () => {});
}
