import { slowestFileLines } from "./slowest-files.mjs";

/**
 * @typedef {object} TestResults
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string[]} skipReasons one for each skipped test that gave one
 * @property {number} errorsOutsideTests files that did not load, hooks that threw, unhandled rejections
 * @property {{ path: string, durationMs: number }[]} files
 * @property {{ test: string, text: string }[]} figures the annotations of tests
 */

/**
 * The last lines of a test run: the slowest files, why tests were skipped, and then one line that any
 * CI can read. A run that failed never claims "0 failed", even when no test was counted as failed.
 *
 * @param {TestResults | undefined} results undefined when the run ended before it could say
 * @param {number} exitCode vitest's
 * @returns {string[]}
 */
export function closingLines(results, exitCode) {
  const { passed, failed, skipped, skipReasons, errorsOutsideTests, files } = results ?? {
    ...{ passed: 0, failed: 0, skipped: 0, skipReasons: [], errorsOutsideTests: 0 },
    files: [],
  };
  const allFailed = failed + errorsOutsideTests;
  const lines = [...countReasons(skipReasons)].map(
    ([reason, count]) => `skipped ${count}: ${reason}`,
  );
  if (exitCode !== 0 && allFailed === 0) lines.push(`vitest ended with exit code ${exitCode}`);
  const shownFailed = exitCode !== 0 ? Math.max(1, allFailed) : allFailed;
  const tail = skipped > 0 ? `, ${skipped} skipped` : "";
  return [...slowestFileLines(files), ...lines, `${passed} passed, ${shownFailed} failed${tail}`];
}

/** @param {readonly string[]} reasons */
function countReasons(reasons) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return counts;
}
