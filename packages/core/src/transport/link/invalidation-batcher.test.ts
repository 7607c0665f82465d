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

/** A peer that applies what the test lets through, but for keys called "bad". */
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
  const tell = (key: string, signal?: AbortSignal): Promise<string> =>
    batcher.invalidate(invalidationOf(key), { ...options, signal }).then(
      () => "applied",
      (error: ParsecError) => error.code,
    );
  return { batcher, clock, frames, tell };
}

describe("InvalidationBatcher", () => {
  it("puts those of one turn into one frame, and a lone one into its own", async () => {
    const { frames, tell } = peerOf();
    const lone = tell("a");
    await settled();
    const together = [tell("b"), tell("c")];
    await settled();
    expect(frames.map(({ keys }) => keys)).toEqual([["a"], ["b", "c"]]);
    for (const { answer } of frames) answer();
    expect(await Promise.all([lone, ...together])).toEqual(["applied", "applied", "applied"]);
  });

  it("gathers those that come while two frames are under way, at most 64 in one", async () => {
    const { frames, tell } = peerOf();
    const told = [tell("a")];
    await settled();
    told.push(tell("b"));
    await settled();
    for (let index = 0; index < 100; index++) {
      told.push(tell(`k${index}`));
      await settled();
    }
    expect(frames).toHaveLength(2);
    for (let at = 0; at < 4; at++) {
      frames[at]?.answer();
      await settled();
    }
    expect(frames.map(({ keys }) => keys.length)).toEqual([1, 1, 64, 36]);
    expect(new Set(await Promise.all(told))).toEqual(new Set(["applied"]));
  });

  it("tells each caller what became of his own", async () => {
    const { frames, tell } = peerOf();
    const told = [tell("a"), tell("bad"), tell("c")];
    await settled();
    frames[0]?.answer();
    expect(await Promise.all(told)).toEqual(["applied", "NO_SUCH_GROUP", "applied"]);
  });

  it("fails all of a frame that does not get through, and goes on with the next", async () => {
    const { frames, tell } = peerOf();
    const told = [tell("a"), tell("b")];
    await settled();
    frames[0]?.fail();
    expect(await Promise.all(told)).toEqual(["PEER_UNREACHABLE", "PEER_UNREACHABLE"]);
    const next = tell("c");
    await settled();
    frames[1]?.answer();
    expect(await next).toBe("applied");
  });

  it("rejects all that waits when the peer is found dead, and has room at once for what comes then", async () => {
    const { batcher, frames, tell } = peerOf();
    const told = [tell("a")];
    await settled();
    told.push(tell("b"));
    await settled();
    told.push(tell("c"));
    await settled();
    expect(batcher.openFrames).toBe(2);
    batcher.rejectAll(new ParsecError("PEER_UNREACHABLE", "dead"));
    expect(batcher.openFrames).toBe(0);
    expect(new Set(await Promise.all(told))).toEqual(new Set(["PEER_UNREACHABLE"]));
    const next = tell("d");
    await settled();
    frames[2]?.answer();
    expect(await next).toBe("applied");
    expect(frames.map(({ keys }) => keys)).toEqual([["a"], ["b"], ["d"]]);
  });

  it("lets a caller give up, before and after his frame has left, and nobody else", async () => {
    const { frames, tell } = peerOf();
    const early = new AbortController();
    const late = new AbortController();
    const told = [tell("a", early.signal), tell("b", late.signal), tell("c")];
    early.abort();
    await settled();
    expect(frames[0]?.keys).toEqual(["b", "c"]);
    late.abort();
    frames[0]?.answer();
    expect(await Promise.all(told)).toEqual(["ABORTED", "ABORTED", "applied"]);
    expect(await tell("d", AbortSignal.abort())).toBe("ABORTED");
  });

  it("keeps each caller's time limit, also for those who never left or wait with others", async () => {
    const { batcher, clock, frames, tell } = peerOf();
    const sent = tell("a");
    const hurried = batcher.invalidate(invalidationOf("h"), { timeoutMs: 300 });
    await settled();
    await Promise.all([
      expect(hurried).rejects.toMatchObject({ code: "TIMEOUT" }),
      clock.advance(300),
    ]);
    await clock.advance(100);
    const second = tell("b");
    await settled();
    const queued = tell("c");
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

  it("does not let one that is too large take others with it", async () => {
    const { batcher, frames, tell } = peerOf({ maxInvalidationKeys: 3, maxKeyBytes: 100 });
    const many = batcher.invalidate(invalidationOf("1", "2", "3", "4"), options);
    const long = tell("x".repeat(101));
    const small = tell("a");
    await expect(many).rejects.toMatchObject({ code: "FRAME_TOO_LARGE" });
    await settled();
    for (const { answer } of frames) answer();
    expect(await Promise.all([long, small])).toEqual(["FRAME_TOO_LARGE", "applied"]);
    expect(frames.map(({ keys }) => keys)).toEqual([["a"]]);
  });
});
