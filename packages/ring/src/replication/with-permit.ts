import type { Semaphore } from "@parsec/core/authoring";

/** Runs `task` as soon as the semaphore has a permit for it. Nothing stops the wait: obsolete tasks end at once when they run. */
export async function withPermit<Result>(
  semaphore: Semaphore,
  task: () => Promise<Result>,
): Promise<Result> {
  await semaphore.acquire();
  try {
    return await task();
  } finally {
    semaphore.release();
  }
}
