import { writeFileSync } from "node:fs";

/** @import { Reporter, TestModule } from "vitest/node" */

/**
 * Writes what came of the tests to the file named by PARSEC_TEST_RESULTS, for the closing line.
 * Vitest's own JSON reporter leaves out why a test was skipped, and errors outside of tests.
 *
 * @implements {Reporter}
 */
export default class TestResultsReporter {
  /**
   * @param {readonly TestModule[]} modules
   * @param {readonly unknown[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    /** @type {import("./closing-line.mjs").TestResults} */
    const results = { passed: 0, failed: 0, skipped: 0, skipReasons: [], errorsOutsideTests: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") results.passed++;
        else if (result.state === "failed") results.failed++;
        else {
          results.skipped++;
          if (result.state === "skipped" && result.note) results.skipReasons.push(result.note);
        }
      }
      // A file that does not load has no tests that could fail.
      results.errorsOutsideTests += module.errors().length;
      for (const suite of module.children.allSuites())
        results.errorsOutsideTests += suite.errors().length;
    }
    results.errorsOutsideTests += unhandledErrors.length;
    const file = process.env.PARSEC_TEST_RESULTS;
    if (file) writeFileSync(file, JSON.stringify(results));
  }
}
