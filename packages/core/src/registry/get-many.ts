import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, invalidArgument } from "../option-checks.ts";
import { createSemaphore } from "../semaphore.ts";

/** Calls started in one turn of the event loop: few enough to leave it responsive, more than fit into a frame. */
const perTurn = 1_024;
/** Batches that may wait for answers at once: together they stay below what may be queued for one peer. */
const batchesAtOnce = 8;

/**
 * Gets many inputs, however many, in their order. Starts them batch by batch, so that a large call
 * neither holds the event loop nor overflows the queue of a peer. Rejects as the first failing `get` does,
 * and with `INVALID_ARGUMENT` for anything but an array.
 */
export async function getMany<Input, Data>(
  inputs: readonly Input[],
  get: (input: Input) => Promise<Data>,
): Promise<Data[]> {
  if (!Array.isArray(inputs)) {
    throw invalidArgument(`getMany takes an array, got ${describe(inputs)}`);
  }
  if (inputs.length <= perTurn) return await Promise.all(inputs.map(get));
  const places = createSemaphore(batchesAtOnce);
  const failure = new AbortController();
  const batches: Promise<Data[]>[] = [];
  for (let start = 0; start < inputs.length && !failure.signal.aborted; start += perTurn) {
    await places.acquire(failure.signal).catch(() => {});
    if (failure.signal.aborted) break;
    const batch = Promise.all(inputs.slice(start, start + perTurn).map(get));
    batch.catch(() => failure.abort()).finally(() => places.release());
    batches.push(batch);
    await nextTurn();
  }
  return (await Promise.all(batches)).flat();
}
