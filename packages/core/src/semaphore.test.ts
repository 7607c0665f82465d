import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { createSemaphore } from "./semaphore.ts";

it("admits as many as it has permits, and the others in order", async () => {
  const semaphore = createSemaphore(2);
  const { signal } = new AbortController();
  const passed: number[] = [];
  const visit = (visitor: number): Promise<void> =>
    semaphore.acquire(signal).then(() => {
      passed.push(visitor);
    });
  const visits = [1, 2, 3, 4].map(visit);
  await Promise.all(visits.slice(0, 2));
  expect(passed).toEqual([1, 2]);
  semaphore.release();
  await visits[2];
  semaphore.release();
  await visits[3];
  expect(passed).toEqual([1, 2, 3, 4]);
  semaphore.release();
  semaphore.release();
  await visit(5);
});

it("removes waiters whose signal fires", async () => {
  const semaphore = createSemaphore(1);
  const staying = new AbortController();
  const leaving = new AbortController();
  await semaphore.acquire(staying.signal);
  const left = semaphore.acquire(leaving.signal);
  const next = semaphore.acquire(staying.signal);
  leaving.abort(new Error("enough"));
  await expect(left).rejects.toThrow("enough");
  semaphore.release();
  await next;
});

it("tryAcquire never overtakes a waiter", async () => {
  const semaphore = createSemaphore(1);
  const { signal } = new AbortController();
  expect(semaphore.tryAcquire()).toBe(true);
  expect(semaphore.tryAcquire()).toBe(false);
  const next = semaphore.acquire(signal);
  semaphore.release();
  expect(semaphore.tryAcquire()).toBe(false);
  await next;
  semaphore.release();
  expect(semaphore.tryAcquire()).toBe(true);
});

it("rejects when the signal has fired already", async () => {
  const semaphore = createSemaphore(1);
  await expect(semaphore.acquire(AbortSignal.abort(new Error("late")))).rejects.toThrow("late");
  expect(semaphore.tryAcquire()).toBe(true);
});

it("adds one listener to a signal that many waiters share, and none without waiters", async () => {
  const semaphore = createSemaphore(1);
  const { signal } = new AbortController();
  const waiters = Array.from({ length: 100 }, () => semaphore.acquire(signal));
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  for (let released = 0; released < 100; released++) semaphore.release();
  await Promise.all(waiters);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

it("waits without a signal as well", async () => {
  const semaphore = createSemaphore(1);
  await semaphore.acquire();
  const next = semaphore.acquire();
  semaphore.release();
  await next;
});
