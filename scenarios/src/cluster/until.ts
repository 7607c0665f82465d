import { setTimeout as pause } from "node:timers/promises";

/** Waits for something that happens elsewhere; rejects and says what did not happen when it takes far too long. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const giveUpAt = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
    await pause(10);
  }
}
