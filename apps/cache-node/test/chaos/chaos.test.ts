import { describeWithOneProgram, describeWithPrograms } from "@parsec/nats-fixtures";
import { describe, test } from "vitest";
import { expectSound } from "./expect-sound.ts";
import type { FaultName } from "./faults.ts";
import { runChaos } from "./run-chaos.ts";

/* A short selection of what `proof.test.ts` does at length: most faults once, each on one of the servers. */

const seed = Number(process.env.PARSEC_CHAOS_SEED ?? 4);
const timeoutMs = 240_000;

const plans: readonly (readonly FaultName[])[] = [
  ["kill", "leave", "standstill", "natsRestart", "twoCoordinators", "peersCut", "join"],
  ["cutOff", "bucketDeleted", "twins", "rollingRestart"],
];
const planOnDisk: readonly FaultName[] = ["allKilled", "allLeave"];

// At once, since most of the time is waiting for leases to run out.
describe.concurrent("three nodes act as one register for each key, with one owner for each partition", () => {
  describeWithOneProgram((startNats) => {
    test(
      `on disk: ${planOnDisk.join(", ")}`,
      async () => {
        const plan = { seed, faults: planOnDisk, startNats, isPersistent: true };
        expectSound(await runChaos(plan), seed);
      },
      timeoutMs,
    );
  });

  const left = [...plans];
  describeWithPrograms((startNats) => {
    const faults = left.shift() ?? [];
    test(
      faults.join(", "),
      async () => expectSound(await runChaos({ seed, faults, startNats }), seed),
      timeoutMs,
    );
  });
});
