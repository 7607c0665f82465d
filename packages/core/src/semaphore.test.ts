import { expect, it } from "vitest";
import { createSemaphore } from "./semaphore.ts";

it("lets so many through, the others in order as places come free", async () => {
  const gate = createSemaphore(2);
  const { signal } = new AbortController();
  const passed: number[] = [];
  const visit = (visitor: number): Promise<void> =>
    gate.acquire(signal).then(() => {
      passed.push(visitor);
    });
  const visits = [1, 2, 3, 4].map(visit);
  await Promise.all(visits.slice(0, 2));
  expect(passed).toEqual([1, 2]);
  gate.release();
  await visits[2];
  gate.release();
  await visits[3];
  expect(passed).toEqual([1, 2, 3, 4]);
  gate.release();
  gate.release();
  await visit(5);
});

it("forgets those who leave while they wait", async () => {
  const gate = createSemaphore(1);
  const staying = new AbortController();
  const leaving = new AbortController();
  await gate.acquire(staying.signal);
  const left = gate.acquire(leaving.signal);
  const next = gate.acquire(staying.signal);
  leaving.abort(new Error("enough"));
  await expect(left).rejects.toThrow("enough");
  gate.release();
  await next;
});

it("says at once whether there is a place, and never takes that of one who waits", async () => {
  const gate = createSemaphore(1);
  const { signal } = new AbortController();
  expect(gate.tryAcquire()).toBe(true);
  expect(gate.tryAcquire()).toBe(false);
  const next = gate.acquire(signal);
  gate.release();
  expect(gate.tryAcquire()).toBe(false);
  await next;
  gate.release();
  expect(gate.tryAcquire()).toBe(true);
});

it("lets nobody in whose signal has fired", async () => {
  const gate = createSemaphore(1);
  await expect(gate.acquire(AbortSignal.abort(new Error("late")))).rejects.toThrow("late");
  expect(gate.tryAcquire()).toBe(true);
});
