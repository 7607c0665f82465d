import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, invalidArgument } from "../option-checks.ts";
import { createSemaphore } from "../semaphore.ts";

/** The longest that calls are started in one turn of the event loop. */
const turnMs = 4;
/** Calls started before the time is read again, and before promises that settled meanwhile are served. */
const callsPerCheck = 32;
const perBatch = 1_024;
/** A call of so few inputs starts all of them at once. */
const atOnce = 256;
/** Concurrent batches, which together stay below the queue limit of a peer. */
const batchesAtOnce = 8;

/**
 * Calls `get` for many inputs and returns the results in order. Starts them in steps, so that a large call neither
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
  if (inputs.length <= atOnce) return await Promise.all(inputs.map((input) => get(input)));
  const semaphore = createSemaphore(batchesAtOnce);
  const failure = new AbortController();
  const fail = (): void => failure.abort();
  const batches: Promise<Data[]>[] = [];
  let turnEndsAt = performance.now() + turnMs;
  for (let start = 0; start < inputs.length && !failure.signal.aborted; start += perBatch) {
    await semaphore.acquire(failure.signal).catch(() => {});
    if (failure.signal.aborted) break;
    const calls: Promise<Data>[] = [];
    for (const input of inputs.slice(start, start + perBatch)) {
      if (failure.signal.aborted) break;
      const call = get(input);
      call.catch(fail);
      calls.push(call);
      if (calls.length % callsPerCheck > 0) continue;
      // What settled meanwhile is part of this turn.
      await undefined;
      if (calls.length < perBatch && performance.now() < turnEndsAt) continue;
      await nextTurn();
      turnEndsAt = performance.now() + turnMs;
    }
    const batch = Promise.all(calls);
    batch.catch(fail).finally(() => semaphore.release());
    batches.push(batch);
  }
  return (await Promise.all(batches)).flat();
}
