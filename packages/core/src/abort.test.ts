import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { abortedError, untilAborted } from "./abort.ts";

describe("untilAborted", () => {
  it("settles as the work does when there is no signal", async () => {
    const failure = new Error("failed");
    expect(await untilAborted(Promise.resolve(1), undefined)).toBe(1);
    await expect(untilAborted(Promise.reject(failure), undefined)).rejects.toBe(failure);
  });

  it("settles as the work does when the signal does not fire, and leaves no listener", async () => {
    const { signal } = new AbortController();
    const failure = new Error("failed");
    expect(await untilAborted(Promise.resolve(1), signal)).toBe(1);
    await expect(untilAborted(Promise.reject(failure), signal)).rejects.toBe(failure);
    await Promise.resolve();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("rejects with ABORTED and the signal's reason as cause when the signal fires first", async () => {
    const controller = new AbortController();
    const waiting = untilAborted(new Promise(() => {}), controller.signal);
    controller.abort("enough");
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED", cause: "enough" });
  });

  it("rejects at once for a signal that has fired, and ignores a later failure of the work", async () => {
    const work = Promise.reject(new Error("failed"));
    await expect(untilAborted(work, AbortSignal.abort())).rejects.toMatchObject({
      code: "ABORTED",
      message: "aborted by the caller",
    });
  });
});

describe("abortedError", () => {
  it("carries the signal's reason as cause", () => {
    expect(abortedError(AbortSignal.abort("why"))).toMatchObject({ code: "ABORTED", cause: "why" });
  });

  it("works without a signal", () => {
    expect(abortedError(undefined)).toMatchObject({ code: "ABORTED", cause: undefined });
  });
});
