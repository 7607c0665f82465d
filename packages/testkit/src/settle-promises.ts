/**
 * Resolves after all pending promise reactions, and those that they cause, have run: Node empties its
 * microtask queue before it runs immediates. Costs less than a microsecond; never waits for timers.
 */
export function settlePromises(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
