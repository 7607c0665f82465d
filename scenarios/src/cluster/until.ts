import { setTimeout as pause } from "node:timers/promises";

/** Polls until the condition holds; rejects with its description after 30 s. */
export async function until(
  description: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const giveUpAt = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`not within 30 s: ${description}`);
    await pause(10);
  }
}
