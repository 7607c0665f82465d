import type { Semaphore } from "@parsec/core/authoring";

/** Nothing in a ring stops waiting for a permit: tasks that are obsolete end at once when they run. */
const neverAborted: AbortSignal = new AbortController().signal;

/** Runs `task` as soon as the semaphore has a permit for it. */
export async function withPermit<Result>(
  semaphore: Semaphore,
  task: () => Promise<Result>,
): Promise<Result> {
  await semaphore.acquire(neverAborted);
  try {
    return await task();
  } finally {
    semaphore.release();
  }
}
