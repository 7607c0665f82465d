import type { FaultRecord } from "./fault-measures.ts";
import { type FaultName, type FaultScene, faults } from "./faults.ts";
import type { FaultWatch } from "./register-clients.ts";
import { machineNowMs } from "./service-note.ts";

/** Few enough to leave the machine to the others, and so many that one late partition is seen in time. */
const maxWatched = 6;

/** Does one thing to a ring at rest, waits until it is at rest again, and until what was harmed is served again. */
export async function playFault(
  name: FaultName,
  scene: Omit<FaultScene, "strike" | "relent">,
): Promise<FaultRecord> {
  const { cluster, clients, random } = scene;
  await clients.proceed(50);
  const placed = (await cluster.place(clients.keys))
    .map((key) => ({ key, place: random() }))
    .sort((one, other) => one.place - other.place)
    .map(({ key }) => key);
  let struck: (Pick<FaultRecord, "watched" | "struckAtMs"> & { watch: FaultWatch }) | undefined;
  let relentedAtMs: number | undefined;
  const strike = (names: readonly string[]): void => {
    const watched = placed.filter(({ owner }) => names.includes(owner)).slice(0, maxWatched);
    const struckAtMs = machineNowMs();
    const watch = clients.watch(
      watched.map(({ key }) => key),
      { avoided: names },
    );
    struck = { watched, struckAtMs, watch };
  };
  const relent = (): void => {
    relentedAtMs = machineNowMs();
  };
  await faults[name]({ ...scene, strike, relent });
  if (struck === undefined) throw new Error(`${name} did not say whom it did harm to`);
  const { watch, ...record } = struck;
  const mendedAtMs = machineNowMs();
  await cluster.settled();
  await watch.end();
  const restedAtMs = machineNowMs();
  return { name, ...record, mendedAtMs, restedAtMs, relentedAtMs: relentedAtMs ?? restedAtMs };
}
