import { describe, expect, it } from "vitest";
import { getMany } from "./get-many.ts";

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe("getMany", () => {
  it.each([0, 1, 1024, 1025, 30_000])("returns %d values in order", async (count) => {
    const values = await getMany(numbers(count), async (input) => input * 2);
    expect(values).toEqual(numbers(count).map((input) => input * 2));
  });

  it("lets other turns of the event loop run between its batches", async () => {
    let turns = 0;
    const turning = setInterval(() => turns++, 0);
    const started: number[] = [];
    await getMany(numbers(5_000), async () => started.push(turns));
    clearInterval(turning);
    expect(new Set(started).size).toBeGreaterThan(1);
  });

  it("ends a turn after a few milliseconds, however long a call takes to start", async () => {
    let turns = 0;
    let open = true;
    const count = (): void => {
      turns++;
      if (open) setImmediate(count);
    };
    setImmediate(count);
    const started: number[] = [];
    await getMany(numbers(2_000), async () => {
      const until = performance.now() + 0.1;
      while (performance.now() < until);
      return started.push(turns);
    });
    open = false;
    const perTurn = new Map<number, number>();
    for (const turn of started) perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
    // 4 ms, then the calls up to the next check.
    expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(40 + 32);
  });

  it("never waits for more than 8,192 answers at once", async () => {
    let open = 0;
    let most = 0;
    await getMany(numbers(30_000), async () => {
      most = Math.max(most, ++open);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      open--;
    });
    expect(most).toBeLessThanOrEqual(8_192);
    expect(most).toBeGreaterThan(1_024);
  });

  it.each([undefined, null, "keys", new Set(["k"])])(
    "rejects %s, which is not an array",
    async (inputs) => {
      await expect(getMany(inputs as unknown as string[], async () => 1)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(/^getMany must be called with an array, got /),
      });
    },
  );

  it("rejects with the first failure, starts no further batch, and leaves no rejection unhandled", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): number => unhandled.push(reason);
    process.on("unhandledRejection", note);
    let started = 0;
    const failing = getMany(numbers(30_000), async (input) => {
      started++;
      if (input % 3_000 === 2_999) throw new Error(`failed at ${input}`);
    });
    await expect(failing).rejects.toThrow("failed at 2999");
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(started).toBeLessThan(30_000);
    expect(unhandled).toEqual([]);
  });
});
