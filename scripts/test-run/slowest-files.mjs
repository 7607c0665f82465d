const shownCount = 10;

/**
 * The ten slowest test files with their seconds, hooks and imports included. Empty for a run of ten
 * files or fewer, whose durations vitest has shown already.
 *
 * @param {readonly { path: string, durationMs: number }[]} files
 * @returns {string[]}
 */
export function slowestFileLines(files) {
  if (files.length <= shownCount) return [];
  const slowest = files.toSorted((one, other) => other.durationMs - one.durationMs);
  const totalMs = files.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return [
    `The ${shownCount} slowest of ${files.length} files, which took ${seconds(totalMs)} s together:`,
    ...slowest
      .slice(0, shownCount)
      .map(({ path, durationMs }) => `${seconds(durationMs).padStart(8)} s  ${path}`),
  ];
}

/** @param {number} ms */
function seconds(ms) {
  return (ms / 1000).toFixed(1);
}
