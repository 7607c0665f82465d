import { writeFileSync } from "node:fs";
import { relative } from "node:path";

/** @import { Reporter, TestModule } from "vitest/node" */

/**
 * Writes the results of a run to the file named by PARSEC_TEST_RESULTS, for the closing lines.
 * Vitest's JSON reporter omits the reasons for skipping, and errors outside of tests.
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
    const results = {
      ...{ passed: 0, failed: 0, skipped: 0, skipReasons: [], errorsOutsideTests: 0 },
      files: [],
      figures: [],
    };
    for (const module of modules) {
      results.files.push({ path: pathOf(module), durationMs: durationOf(module) });
      for (const test of module.children.allTests()) {
        for (const { type, message } of test.annotations())
          if (type === "notice") results.figures.push({ test: test.fullName, text: message });
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

/** @param {TestModule} module */
function pathOf(module) {
  return relative(process.cwd(), module.moduleId);
}

/** @param {TestModule} module */
function durationOf(module) {
  const { duration, collectDuration, setupDuration, prepareDuration } = module.diagnostic();
  return duration + collectDuration + setupDuration + prepareDuration;
}
