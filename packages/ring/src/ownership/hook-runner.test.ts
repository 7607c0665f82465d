import { describe, expect, it } from "vitest";
import { createMonotonicClock } from "../lease/monotonic-clock.ts";
import { type HookFailure, HookRunner } from "./hook-runner.ts";

function runner(timeoutMs = 20): { readonly hooks: HookRunner; readonly failures: HookFailure[] } {
  const failures: HookFailure[] = [];
  const onFailure = (failure: HookFailure): void => void failures.push(failure);
  return {
    hooks: new HookRunner({ clock: createMonotonicClock(), timeoutMs, onFailure }),
    failures,
  };
}

describe("hooks", () => {
  it("are called once for all partitions of a turn, and separately for those with lost data", async () => {
    const { hooks } = runner();
    const calls: unknown[] = [];
    hooks.addOwn((partitions, info) => void calls.push([partitions, info]));
    await Promise.all([hooks.own(3, false), hooks.own(1, false), hooks.own(2, true)]);
    expect(calls).toEqual([
      [[1, 3], { lost: false }],
      [[2], { lost: true }],
    ]);
  });

  it("run in sequence for one partition, and concurrently for different ones", async () => {
    const { hooks } = runner(10_000);
    const calls: string[] = [];
    const { promise: gate, resolve: open } = deferred();
    hooks.addOwn(async ([partition]) => {
      calls.push(`own ${partition}`);
      if (partition === 1) await gate;
      calls.push(`owned ${partition}`);
    });
    hooks.addRelease(([partition]) => void calls.push(`release ${partition}`));
    const first = hooks.own(1, false);
    await new Promise((resolve) => setImmediate(resolve));
    const later = hooks.release(1);
    await hooks.own(2, false);
    expect(calls).toEqual(["own 1", "own 2", "owned 2"]);
    expect(hooks.running).toEqual([1]);
    open();
    await Promise.all([first, later]);
    expect(calls.slice(3)).toEqual(["owned 1", "release 1"]);
    await hooks.whenIdle();
    expect(hooks.running).toEqual([]);
  });

  it("that throw or hang are reported, and block nothing", async () => {
    const { hooks, failures } = runner();
    hooks.addOwn(() => {
      throw new Error("no");
    });
    hooks.addRelease(() => new Promise(() => {}));
    await hooks.own(1, false);
    await hooks.release(1);
    expect(failures).toEqual([
      { hook: "onOwn", partitions: [1], message: "no" },
      { hook: "onRelease", partitions: [1], message: "the hook did not end within 20 ms" },
    ]);
  });

  it("are not called after they were removed", async () => {
    const { hooks } = runner();
    const calls: number[] = [];
    const remove = hooks.addOwn(([partition]) => void calls.push(partition as number));
    await hooks.own(1, false);
    remove();
    await hooks.own(2, false);
    expect(calls).toEqual([1]);
  });
});

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
