import { expect, test } from "vitest";
import { orderedRun } from "./ordered-run.mjs";

/**
 * Runs jobs that end when the test says so.
 *
 * @param {readonly string[]} names
 * @param {Omit<Parameters<typeof orderedRun>[1], "run">} options
 */
function start(names, options) {
  /** @type {string[]} */
  const started = [];
  /** @type {Map<string, () => void>} */
  const ends = new Map();
  const finished = orderedRun(names, {
    ...options,
    run: (name) => {
      started.push(name);
      return new Promise((resolve) => ends.set(name, resolve));
    },
  });
  const end = async (/** @type {string} */ name) => {
    ends.get(name)?.();
    await new Promise(setImmediate);
  };
  return { started, end, finished };
}

test("keeps to the limit, and starts the next job when one ends", async () => {
  const { started, end, finished } = start(["a", "b", "c"], { limit: 2, follows: () => undefined });
  expect(started).toEqual(["a", "b"]);
  await end("b");
  expect(started).toEqual(["a", "b", "c"]);
  await end("a");
  await end("c");
  await finished;
});

test("starts a job only after the one it follows, and others meanwhile", async () => {
  const follows = (/** @type {string} */ name) => (name === "size" ? "build" : undefined);
  const { started, end, finished } = start(["size", "lint", "build"], {
    first: ["build"],
    limit: 2,
    follows,
  });
  expect(started).toEqual(["build", "lint"]);
  await end("lint");
  expect(started).toEqual(["build", "lint"]);
  await end("build");
  expect(started).toEqual(["build", "lint", "size"]);
  await end("size");
  await finished;
});

test("rejects when jobs follow each other", async () => {
  const follows = (/** @type {string} */ name) => (name === "a" ? "b" : "a");
  await expect(start(["a", "b"], { limit: 1, follows }).finished).rejects.toThrow(
    "these jobs wait for each other: a, b",
  );
});
