import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startProgress } from "./progress.mjs";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** @param {boolean} isTTY */
function screen(isTTY) {
  /** @type {string[]} */
  const written = [];
  const write = (/** @type {unknown} */ text) => {
    written.push(String(text));
    return true;
  };
  return { written, stream: { isTTY, write } };
}

test("a terminal gets a spinner with the seconds, which is erased at the end", () => {
  const { written, stream } = screen(true);
  const end = startProgress("Building", stream);
  vi.advanceTimersByTime(2_100);
  expect(written.at(-1)?.startsWith("\r\x1b[K")).toBe(true);
  expect(written.at(-1)?.endsWith(" Building 2 s")).toBe(true);
  end();
  expect(written.at(-1)).toBe("\r\x1b[K");
  const { length } = written;
  vi.advanceTimersByTime(5_000);
  expect(written).toHaveLength(length);
});

test("a file or a pipe gets one plain line", () => {
  const { written, stream } = screen(false);
  const end = startProgress("Building", stream);
  vi.advanceTimersByTime(60_000);
  end();
  expect(written).toEqual(["Building ...\n"]);
});

test.each([true, false])("short work is not announced (terminal: %j)", (isTTY) => {
  const { written, stream } = screen(isTTY);
  const end = startProgress("Building", stream);
  vi.advanceTimersByTime(300);
  end();
  vi.advanceTimersByTime(60_000);
  expect(written).toEqual([]);
});
