/**
 * Runs named jobs, a limited number at once. A job starts in the order of the list, or later when the
 * job it follows has not ended.
 *
 * @param {readonly string[]} names
 * @param {object} options
 * @param {readonly string[]} [options.first] jobs to start before all others
 * @param {(name: string) => string | undefined} options.follows the job that must have ended before
 * @param {number} options.limit how many may run at once
 * @param {(name: string) => Promise<void>} options.run
 */
export async function orderedRun(names, { first = [], follows, limit, run }) {
  const waiting = [...names].sort(
    (one, other) => Number(first.includes(other)) - Number(first.includes(one)),
  );
  /** @type {Map<string, Promise<void>>} */
  const running = new Map();
  while (waiting.length + running.size > 0) {
    const isReady = (/** @type {string} */ name) => {
      const before = follows(name) ?? "";
      return !waiting.includes(before) && !running.has(before);
    };
    const index = running.size < limit ? waiting.findIndex(isReady) : -1;
    const [name] = index < 0 ? [] : waiting.splice(index, 1);
    if (name !== undefined) {
      const ended = run(name).finally(() => running.delete(name));
      running.set(name, ended);
    } else if (running.size > 0) {
      await Promise.race(running.values());
    } else {
      throw new Error(`these jobs wait for each other: ${waiting.join(", ")}`);
    }
  }
}
