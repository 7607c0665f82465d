import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, invalidArgument } from "../option-checks.ts";
import { createSemaphore } from "../semaphore.ts";

/** Calls started in one turn of the event loop: few enough to keep it responsive, and more than one frame carries. */
const perTurn = 1_024;
/** Concurrent batches, which together stay below the queue limit of a peer. */
const batchesAtOnce = 8;

/**
 * Calls `get` for many inputs and returns the results in order. Works in batches, so that a large call neither
 * blocks the event loop nor overflows the queue of a peer. Rejects with the error of the first `get` that
 * fails, or with `INVALID_ARGUMENT` when `inputs` is not an array.
 */
export async function getMany<Input, Data>(
  inputs: readonly Input[],
  get: (input: Input) => Promise<Data>,
): Promise<Data[]> {
  if (!Array.isArray(inputs)) {
    throw invalidArgument(`getMany must be called with an array, got ${describe(inputs)}`);
  }
  if (inputs.length <= perTurn) return await Promise.all(inputs.map(get));
  const semaphore = createSemaphore(batchesAtOnce);
  const failure = new AbortController();
  const batches: Promise<Data[]>[] = [];
  for (let start = 0; start < inputs.length && !failure.signal.aborted; start += perTurn) {
    await semaphore.acquire(failure.signal).catch(() => {});
    if (failure.signal.aborted) break;
    const batch = Promise.all(inputs.slice(start, start + perTurn).map(get));
    batch.catch(() => failure.abort()).finally(() => semaphore.release());
    batches.push(batch);
    await nextTurn();
  }
  return (await Promise.all(batches)).flat();
}
