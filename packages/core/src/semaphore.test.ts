import { expect, it } from "vitest";
import { Gate } from "./semaphore.ts";

it("lets so many through, the others in order as places come free", async () => {
  const gate = new Gate(2);
  const { signal } = new AbortController();
  const passed: number[] = [];
  const visit = (visitor: number): Promise<void> =>
    gate.enter(signal).then(() => {
      passed.push(visitor);
    });
  const visits = [1, 2, 3, 4].map(visit);
  await Promise.all(visits.slice(0, 2));
  expect(passed).toEqual([1, 2]);
  gate.leave();
  await visits[2];
  gate.leave();
  await visits[3];
  expect(passed).toEqual([1, 2, 3, 4]);
  gate.leave();
  gate.leave();
  await visit(5);
});

it("forgets those who leave while they wait", async () => {
  const gate = new Gate(1);
  const staying = new AbortController();
  const leaving = new AbortController();
  await gate.enter(staying.signal);
  const left = gate.enter(leaving.signal);
  const next = gate.enter(staying.signal);
  leaving.abort(new Error("enough"));
  await expect(left).rejects.toThrow("enough");
  gate.leave();
  await next;
});

it("says at once whether there is a place, and never takes that of one who waits", async () => {
  const gate = new Gate(1);
  const { signal } = new AbortController();
  expect(gate.tryEnter()).toBe(true);
  expect(gate.tryEnter()).toBe(false);
  const next = gate.enter(signal);
  gate.leave();
  expect(gate.tryEnter()).toBe(false);
  await next;
  gate.leave();
  expect(gate.tryEnter()).toBe(true);
});

it("lets nobody in whose signal has fired", async () => {
  const gate = new Gate(1);
  await expect(gate.enter(AbortSignal.abort(new Error("late")))).rejects.toThrow("late");
  expect(gate.tryEnter()).toBe(true);
});
