import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { SharedSignals } from "./shared-signals.ts";

function listenersOf(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}

it("adds one listener for all callers of a signal, and none without callers", () => {
  const { signal } = new AbortController();
  const shared = new SharedSignals();
  const leaves = Array.from({ length: 100 }, () => () => {});
  for (const leave of leaves) shared.add(signal, leave);
  expect(listenersOf(signal)).toBe(1);
  for (const leave of leaves) shared.remove(signal, leave);
  expect(listenersOf(signal)).toBe(0);
  shared.remove(signal, () => {});
  expect(listenersOf(signal)).toBe(0);
});

it("calls every remaining listener once, in order", () => {
  const controller = new AbortController();
  const shared = new SharedSignals();
  const left: number[] = [];
  const leaves = [0, 1, 2].map((caller) => () => left.push(caller));
  for (const leave of leaves) shared.add(controller.signal, leave);
  shared.remove(controller.signal, leaves[1] as () => void);
  controller.abort();
  expect(left).toEqual([0, 2]);
  expect(listenersOf(controller.signal)).toBe(0);
});

it("does not mix up different signals", () => {
  const controllers = [new AbortController(), new AbortController()] as const;
  const shared = new SharedSignals();
  const left: string[] = [];
  shared.add(controllers[0].signal, () => left.push("first"));
  shared.add(controllers[1].signal, () => left.push("second"));
  controllers[1].abort();
  expect(left).toEqual(["second"]);
});
