import { describe, expect, it } from "vitest";
import { SteppedClock } from "../../../test/stepped-clock.ts";
import { ParsecError } from "../../errors.ts";
import { type CollectedAnswer, collectAnswer } from "./collected-answer.ts";

function collecting(signal?: AbortSignal): { clock: SteppedClock; answer: CollectedAnswer } {
  const clock = new SteppedClock();
  const answer = collectAnswer({
    peerId: "node-2",
    clock,
    timeoutMs: 100,
    maxAnswerBytes: 10,
    signal,
  });
  return { clock, answer };
}

describe("collectAnswer", () => {
  it("resolves with all chunks once the answer is complete", async () => {
    const { clock, answer } = collecting();
    answer.receive(Buffer.from("abc"));
    answer.receive(Buffer.from("de"));
    answer.finish();
    expect((await answer.whole).toString()).toBe("abcde");
    expect(clock.pendingCount).toBe(0);
  });

  it("rejects with TIMEOUT after timeoutMs", async () => {
    const { clock, answer } = collecting();
    const outcome = expect(answer.whole).rejects.toMatchObject({
      code: "TIMEOUT",
      message: "node-2 did not answer within 100 ms",
    });
    await clock.advance(100);
    await outcome;
  });

  it("rejects with ABORTED when the signal fires, before or while it waits", async () => {
    const controller = new AbortController();
    const { clock, answer } = collecting(controller.signal);
    const outcome = expect(answer.whole).rejects.toMatchObject({ code: "ABORTED" });
    controller.abort();
    await outcome;
    await expect(collecting(controller.signal).answer.whole).rejects.toMatchObject({
      code: "ABORTED",
    });
    expect(clock.pendingCount).toBe(0);
  });

  it("rejects an answer longer than a valid one", async () => {
    const { answer } = collecting();
    answer.receive(Buffer.alloc(10));
    expect(() => answer.receive(Buffer.alloc(1))).toThrow(
      expect.objectContaining({ code: "FRAME_TOO_LARGE" }),
    );
    const error = new ParsecError("PEER_UNREACHABLE", "its answer cannot be read");
    answer.fail(error);
    await expect(answer.whole).rejects.toBe(error);
  });
});
