import { describe, expect, it } from "vitest";
import { deferred } from "../../../test/deferred.ts";
import { SteppedClock, settled } from "../../../test/stepped-clock.ts";
import { ParsecError } from "../../errors.ts";
import type { PeerInvalidation } from "../../peer.ts";
import { createFrameServer } from "../server/frame-server.ts";
import { decodeInvalidations } from "../wire/invalidations.ts";
import { type FrameLimits, resolveFrameLimits } from "../wire/limits.ts";
import { InvalidationBatcher } from "./invalidation-batcher.ts";

const options: { timeoutMs: number } = { timeoutMs: 1000 };

function invalidationOf(...keys: string[]): PeerInvalidation {
  return { group: "g", target: { kind: "keys", keys }, fence: 1 };
}

/** A peer that applies the invalidations that the test admits, except for keys named "bad". */
function peerOf(over: Partial<FrameLimits> = {}) {
  const limits = resolveFrameLimits(over);
  const clock = new SteppedClock();
  const frames: { keys: string[]; timeoutMs: number; answer: () => void; fail: () => void }[] = [];
  const server = createFrameServer({
    host: {
      lookup: () => Promise.reject(new Error("not asked")),
      invalidate({ target }) {
        if (target.kind === "keys" && target.keys.includes("bad")) {
          throw new ParsecError("NO_SUCH_GROUP", "no such group");
        }
      },
    },
    limits,
    sender: 2,
  });
  const batcher = new InvalidationBatcher({
    peerId: "peer",
    sender: 1,
    limits,
    clock,
    async send({ bytes, timeoutMs, maxAnswerBytes, signal }, read) {
      const gate = deferred<void>();
      const { invalidations } = decodeInvalidations(bytes, limits);
      const keys = invalidations.flatMap(({ target }) =>
        target.kind === "keys" ? target.keys : [],
      );
      frames.push({
        keys,
        timeoutMs,
        answer: () => gate.resolve(),
        fail: () => gate.reject(new ParsecError("PEER_UNREACHABLE", "cut")),
      });
      clock.schedule(timeoutMs, () => gate.reject(new ParsecError("TIMEOUT", "too late")));
      signal.addEventListener("abort", () => gate.reject(signal.reason));
      await gate.promise;
      const answer = server.invalidations(bytes);
      expect(answer.length).toBeLessThanOrEqual(maxAnswerBytes);
      return read(answer);
    },
  });
  const invalidate = (key: string, signal?: AbortSignal): Promise<string> =>
    batcher.invalidate(invalidationOf(key), { ...options, signal }).then(
      () => "applied",
      (error: ParsecError) => error.code,
    );
  return { batcher, clock, frames, invalidate };
}

describe("InvalidationBatcher", () => {
  it("sends the invalidations of one turn in one frame, and a single one in its own", async () => {
    const { frames, invalidate } = peerOf();
    const lone = invalidate("a");
    await settled();
    const together = [invalidate("b"), invalidate("c")];
    await settled();
    expect(frames.map(({ keys }) => keys)).toEqual([["a"], ["b", "c"]]);
    for (const { answer } of frames) answer();
    expect(await Promise.all([lone, ...together])).toEqual(["applied", "applied", "applied"]);
  });

  it("gathers invalidations while two frames are in flight, at most 64 per frame", async () => {
    const { frames, invalidate } = peerOf();
    const outcomes = [invalidate("a")];
    await settled();
    outcomes.push(invalidate("b"));
    await settled();
    for (let index = 0; index < 100; index++) {
      outcomes.push(invalidate(`k${index}`));
      await settled();
    }
    expect(frames).toHaveLength(2);
    for (let at = 0; at < 4; at++) {
      frames[at]?.answer();
      await settled();
    }
    expect(frames.map(({ keys }) => keys.length)).toEqual([1, 1, 64, 36]);
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(["applied"]));
  });

  it("reports the outcome of each invalidation to its caller", async () => {
    const { frames, invalidate } = peerOf();
    const outcomes = [invalidate("a"), invalidate("bad"), invalidate("c")];
    await settled();
    frames[0]?.answer();
    expect(await Promise.all(outcomes)).toEqual(["applied", "NO_SUCH_GROUP", "applied"]);
  });

  it("rejects all invalidations of a failed frame and sends the next", async () => {
    const { frames, invalidate } = peerOf();
    const outcomes = [invalidate("a"), invalidate("b")];
    await settled();
    frames[0]?.fail();
    expect(await Promise.all(outcomes)).toEqual(["PEER_UNREACHABLE", "PEER_UNREACHABLE"]);
    const next = invalidate("c");
    await settled();
    frames[1]?.answer();
    expect(await next).toBe("applied");
  });

  it("rejects all waiting invalidations on rejectAll, and accepts new ones at once", async () => {
    const { batcher, frames, invalidate } = peerOf();
    const outcomes = [invalidate("a")];
    await settled();
    outcomes.push(invalidate("b"));
    await settled();
    outcomes.push(invalidate("c"));
    await settled();
    expect(batcher.openFrames).toBe(2);
    batcher.rejectAll(new ParsecError("PEER_UNREACHABLE", "dead"));
    expect(batcher.openFrames).toBe(0);
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(["PEER_UNREACHABLE"]));
    const next = invalidate("d");
    await settled();
    frames[2]?.answer();
    expect(await next).toBe("applied");
    expect(frames.map(({ keys }) => keys)).toEqual([["a"], ["b"], ["d"]]);
  });

  it("rejects an aborted caller alone, before and after its frame was sent", async () => {
    const { frames, invalidate } = peerOf();
    const early = new AbortController();
    const late = new AbortController();
    const outcomes = [invalidate("a", early.signal), invalidate("b", late.signal), invalidate("c")];
    early.abort();
    await settled();
    expect(frames[0]?.keys).toEqual(["b", "c"]);
    late.abort();
    frames[0]?.answer();
    expect(await Promise.all(outcomes)).toEqual(["ABORTED", "ABORTED", "applied"]);
    expect(await invalidate("d", AbortSignal.abort())).toBe("ABORTED");
  });

  it("enforces each caller's timeout, also for queued and batched invalidations", async () => {
    const { batcher, clock, frames, invalidate } = peerOf();
    const sent = invalidate("a");
    const hurried = batcher.invalidate(invalidationOf("h"), { timeoutMs: 300 });
    await settled();
    await Promise.all([
      expect(hurried).rejects.toMatchObject({ code: "TIMEOUT" }),
      clock.advance(300),
    ]);
    await clock.advance(100);
    const second = invalidate("b");
    await settled();
    const queued = invalidate("c");
    const unsent = batcher.invalidate(invalidationOf("u"), { timeoutMs: 100 });
    await Promise.all([
      expect(unsent).rejects.toMatchObject({ code: "TIMEOUT" }),
      clock.advance(100),
    ]);
    await clock.advance(500);
    expect(await sent).toBe("TIMEOUT");
    await clock.advance(400);
    expect(await Promise.all([second, queued])).toEqual(["TIMEOUT", "TIMEOUT"]);
    expect(frames.map(({ keys, timeoutMs }) => [...keys, timeoutMs])).toEqual([
      ["a", "h", 1000],
      ["b", 1000],
      ["c", 400],
    ]);
  });

  it("does not fail others because of one that is too large", async () => {
    const { batcher, frames, invalidate } = peerOf({ maxInvalidationKeys: 3, maxKeyBytes: 100 });
    const many = batcher.invalidate(invalidationOf("1", "2", "3", "4"), options);
    const long = invalidate("x".repeat(101));
    const small = invalidate("a");
    await expect(many).rejects.toMatchObject({ code: "FRAME_TOO_LARGE" });
    await settled();
    for (const { answer } of frames) answer();
    expect(await Promise.all([long, small])).toEqual(["FRAME_TOO_LARGE", "applied"]);
    expect(frames.map(({ keys }) => keys)).toEqual([["a"]]);
  });
});
