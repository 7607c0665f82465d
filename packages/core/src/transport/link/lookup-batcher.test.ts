import { describe, expect, it } from "vitest";
import { connectionLost, LoopbackChannel } from "../../../test/loopback-channel.ts";
import { SteppedClock, settled } from "../../../test/stepped-clock.ts";
import { isParsecError, ParsecError } from "../../errors.ts";
import type { PeerAnswer, PeerCallOptions, PeerHost, PeerLookup } from "../../peer.ts";
import { resolveFrameLimits } from "../wire/limits.ts";
import { LookupBatcher, type LookupBatcherOptions } from "./lookup-batcher.ts";

function answerOf(text: string): PeerAnswer {
  return { value: Buffer.from(text), ttlMs: 1, fence: 0, ratePerMinute: 0 };
}

/** Keys that start with "slow" wait until the test settles them; others are answered at once. */
class ScriptedHost implements PeerHost {
  readonly asked: string[] = [];
  readonly aborted: string[] = [];
  readonly #waiting: Map<string, { done: (answer: PeerAnswer) => void; fail: (e: Error) => void }> =
    new Map();

  lookup(lookup: PeerLookup, options?: PeerCallOptions): PeerAnswer | Promise<PeerAnswer> {
    const { key } = lookup;
    this.asked.push(key);
    if (key === "bad") throw new ParsecError("NO_SUCH_GROUP", "no such group");
    if (!key.startsWith("slow")) return answerOf(key);
    options?.signal?.addEventListener("abort", () => this.aborted.push(key));
    return new Promise((done, fail) => this.#waiting.set(key, { done, fail }));
  }

  settle(key: string): void {
    this.#waiting.get(key)?.done(answerOf(key));
  }

  fail(key: string, error: Error): void {
    this.#waiting.get(key)?.fail(error);
  }

  invalidate(): void {}
}

function setup(overrides: Partial<LookupBatcherOptions> = {}) {
  const host = new ScriptedHost();
  const channel = new LoopbackChannel(host);
  const clock = new SteppedClock();
  const events: string[] = [];
  const batcher = new LookupBatcher({
    peerId: "http://owner",
    channel,
    observer: {
      sent: () => {},
      heard: () => {},
      answered: () => events.push("answered"),
      failed: (error) => events.push(error.code),
      idle: () => events.push("idle"),
    },
    clock,
    sender: 1,
    limits: resolveFrameLimits(),
    maxLookupsPerFrame: 100,
    maxQueued: 1000,
    maxUnheardFrames: 4,
    maxOpenFrames: 16,
    ...overrides,
  });
  const ask = (key: string, options: { signal?: AbortSignal; timeoutMs?: number } = {}) =>
    batcher
      .lookup(
        { group: "g", key, input: undefined, fence: 0, timeoutMs: options.timeoutMs ?? 5000 },
        options.signal,
      )
      .then(
        (answer) => Buffer.from(answer.value ?? []).toString(),
        (error: unknown) => (isParsecError(error) ? error.code : "foreign"),
      );
  return { host, channel, clock, events, batcher, ask };
}

describe("lookups of one turn", () => {
  it("are sent in one frame, and each gets its own answer", async () => {
    const { ask, channel } = setup();
    const keys = Array.from({ length: 100 }, (_, index) => `k${index}`);
    expect(await Promise.all(keys.map((key) => ask(key)))).toEqual(keys);
    expect(channel.sent).toHaveLength(1);
    expect(channel.pieceCounts).toEqual([1]);
  });

  it("are sent in several frames when one cannot hold them", async () => {
    const { ask, channel } = setup();
    await Promise.all(Array.from({ length: 250 }, (_, index) => ask(`k${index}`)));
    expect(channel.sent.map((frame) => frame.count)).toEqual([100, 100, 50]);
  });

  it("are sent at the end of the turn when no frame is in flight", async () => {
    const { ask, channel } = setup();
    const answer = ask("k");
    expect(channel.sent).toHaveLength(0);
    await new Promise<void>((resolve) => process.nextTick(resolve));
    expect(channel.sent).toHaveLength(1);
    expect(await answer).toBe("k");
  });

  it("issued by callers that just got answers are sent together as well", async () => {
    const { ask, channel } = setup();
    const twice = async (key: string): Promise<string> => {
      await ask(key);
      return ask(`${key}'`);
    };
    await Promise.all(Array.from({ length: 50 }, (_, index) => twice(`k${index}`)));
    expect(channel.sent.map((frame) => frame.count)).toEqual([50, 50]);
  });

  it("gather in larger frames while the maximum of frames is in flight", async () => {
    const { ask, channel } = setup({ maxUnheardFrames: 1 });
    const first = ask("k0");
    await new Promise<void>((resolve) => process.nextTick(resolve));
    const rest = [];
    for (let index = 1; index <= 20; index++) {
      rest.push(ask(`k${index}`));
      await Promise.resolve();
    }
    await Promise.all([first, ...rest]);
    expect(channel.sent.map((frame) => frame.count)).toEqual([1, 20]);
  });

  it("do not wait for a slow one among them", async () => {
    const { ask, host, channel } = setup();
    const slow = ask("slow");
    expect(await Promise.all([ask("a"), ask("b")])).toEqual(["a", "b"]);
    expect(channel.sent).toHaveLength(1);
    host.settle("slow");
    expect(await slow).toBe("slow");
    expect(channel.pieceCounts).toEqual([2]);
  });

  it("get the owner's typed error individually", async () => {
    const { ask, host } = setup();
    const failing = ask("slow");
    expect(await Promise.all([ask("bad"), ask("good")])).toEqual(["NO_SUCH_GROUP", "good"]);
    host.fail("slow", new ParsecError("ORIGIN_FAILED", "no database"));
    expect(await failing).toBe("ORIGIN_FAILED");
  });

  it("treat a closing owner as unreachable, for failover", async () => {
    const { ask, host } = setup();
    const failing = ask("slow");
    await settled();
    host.fail("slow", new ParsecError("CLOSED", "the group was closed"));
    expect(await failing).toBe("PEER_UNREACHABLE");
  });
});

describe("limits", () => {
  it("reject with OVERLOADED when the queue is full, without affecting queued lookups", async () => {
    const { ask } = setup({ maxQueued: 2 });
    expect(await Promise.all([ask("a"), ask("b"), ask("c")])).toEqual(["a", "b", "OVERLOADED"]);
  });

  it("reject a key that is too large without affecting other lookups", async () => {
    const { ask } = setup();
    const answers = await Promise.all([ask("a"), ask("x".repeat(70_000)), ask("b")]);
    expect(answers).toEqual(["a", "KEY_TOO_LARGE", "b"]);
  });

  it("fail the exchange for an answer beyond maxValueBytes", async () => {
    const limits = resolveFrameLimits({ maxValueBytes: 3 });
    const { batcher, channel } = setup({ limits });
    channel.send = (frame) => {
      setImmediate(() => {
        try {
          const head = Buffer.from(`5001020000000000010000${"ffffff7f"}`, "hex");
          head.writeUInt32LE(frame.frameId, 4);
          frame.receive(head);
        } catch (error) {
          frame.fail(new ParsecError("PEER_UNREACHABLE", "unreadable", { cause: error }));
        }
      });
      return { cancel: () => {} };
    };
    const answer = batcher.lookup(
      { group: "g", key: "k", input: undefined, fence: 0, timeoutMs: 1000 },
      undefined,
    );
    await expect(answer).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
      cause: { code: "FRAME_TOO_LARGE" },
    });
  });
});

describe("deadlines", () => {
  it("reject each lookup with TIMEOUT at its own deadline, with one timer", async () => {
    const { ask, clock, channel } = setup();
    channel.deaf = true;
    const settledAt: number[] = [];
    const note = (): number => settledAt.push(clock.now() - 1000);
    const answers = [100, 200, 300].map((timeoutMs) => ask("k", { timeoutMs }).finally(note));
    expect(clock.pendingCount).toBe(1);
    await clock.advance(1000);
    expect(await Promise.all(answers)).toEqual(["TIMEOUT", "TIMEOUT", "TIMEOUT"]);
    for (const [index, at] of settledAt.entries()) {
      expect(at).toBeGreaterThanOrEqual((index + 1) * 100);
      expect(at).toBeLessThanOrEqual((index + 1) * 100 + 5);
    }
    expect(clock.pendingCount).toBe(0);
    expect(channel.cancelled).toBe(1);
  });

  it("apply to lookups that wait to be sent", async () => {
    const { ask, clock, channel } = setup({ maxUnheardFrames: 1 });
    channel.deaf = true;
    const stuck = ask("a", { timeoutMs: 1000 });
    await settled();
    const queued = ask("b", { timeoutMs: 200 });
    await clock.advance(300);
    expect(await queued).toBe("TIMEOUT");
    expect(channel.sent).toHaveLength(1);
    await clock.advance(1000);
    expect(await stuck).toBe("TIMEOUT");
  });

  it("do not exist for a timeout of Infinity", async () => {
    const { ask, clock, host } = setup();
    const answer = ask("slow", { timeoutMs: Number.POSITIVE_INFINITY });
    await clock.advance(1e9);
    host.settle("slow");
    expect(await answer).toBe("slow");
  });
});

describe("an aborted lookup", () => {
  it("does not affect others and is cancelled at the owner", async () => {
    const { ask, host, channel } = setup();
    const leaving = new AbortController();
    const left = ask("slow 1", { signal: leaving.signal });
    const stayed = ask("slow 2");
    await settled();
    leaving.abort();
    expect(await left).toBe("ABORTED");
    await settled();
    expect(channel.forgotten).toEqual([[0]]);
    expect(host.aborted).toEqual(["slow 1"]);
    host.settle("slow 2");
    expect(await stayed).toBe("slow 2");
  });

  it("is cancelled at the owner even if it was aborted before the frame arrived", async () => {
    const { ask, host } = setup();
    const leaving = new AbortController();
    const left = ask("slow 1", { signal: leaving.signal });
    const stayed = ask("slow 2");
    await new Promise<void>((resolve) => process.nextTick(resolve));
    leaving.abort();
    expect(await left).toBe("ABORTED");
    await settled();
    expect(host.aborted).toEqual(["slow 1"]);
    host.settle("slow 2");
    await stayed;
  });

  it("ends the exchange when it was the last lookup", async () => {
    const { ask, host, channel, batcher } = setup();
    const leaving = new AbortController();
    const left = ask("slow", { signal: leaving.signal });
    await settled();
    leaving.abort();
    expect(await left).toBe("ABORTED");
    expect(channel.cancelled).toBe(1);
    expect(host.aborted).toEqual(["slow"]);
    expect(batcher.openFrames).toBe(0);
  });

  it("is not sent if aborted before", async () => {
    const { ask, host } = setup();
    const leaving = new AbortController();
    const left = ask("k1", { signal: leaving.signal });
    const other = ask("k2");
    leaving.abort();
    expect(await left).toBe("ABORTED");
    await other;
    expect(host.asked).toEqual(["k2"]);
    expect(await ask("k3", { signal: leaving.signal })).toBe("ABORTED");
  });
});

describe("an exchange that fails", () => {
  it("rejects its lookups with the same error and is reported", async () => {
    const { ask, channel, events } = setup();
    channel.broken = connectionLost;
    expect(await Promise.all([ask("a"), ask("b")])).toEqual([
      "PEER_UNREACHABLE",
      "PEER_UNREACHABLE",
    ]);
    channel.broken = undefined;
    expect(await ask("a")).toBe("a");
    expect(events).toEqual(["PEER_UNREACHABLE", "answered", "idle"]);
  });

  it("by ending too early rejects unanswered lookups with PEER_UNREACHABLE", async () => {
    const { ask, channel } = setup();
    channel.send = (frame) => {
      setImmediate(() => {
        const head = Buffer.from("5001020000000000" + "120000" + "0000000000000000", "hex");
        head.writeUInt32LE(frame.frameId, 4);
        frame.receive(head);
        frame.finish();
      });
      return { cancel: () => {} };
    };
    expect(await Promise.all([ask("a"), ask("b")])).toEqual(["", "PEER_UNREACHABLE"]);
  });

  it("to end after all answers is aborted", async () => {
    const { ask, channel, clock, events, batcher } = setup();
    let cancelled = 0;
    channel.send = (frame) => {
      setImmediate(() => {
        const answers = Buffer.from("5001020000000000" + "120000" + "0000000000000000", "hex");
        answers.writeUInt32LE(frame.frameId, 4);
        frame.receive(answers);
      });
      return { cancel: () => cancelled++ };
    };
    expect(await ask("a")).toBe("");
    await clock.advance(900);
    expect(batcher.openFrames).toBe(1);
    await clock.advance(200);
    expect([batcher.openFrames, cancelled, events]).toEqual([0, 1, ["PEER_UNREACHABLE"]]);
  });

  it("because the channel throws rejects with PEER_UNREACHABLE", async () => {
    const { ask, channel } = setup();
    channel.send = () => {
      throw new TypeError("bad path");
    };
    expect(await ask("a")).toBe("PEER_UNREACHABLE");
  });
});

describe("slow origins", () => {
  it.each([3, 4, 8, 16])(
    "cannot exhaust %d frames, because lookups of old frames are consolidated",
    async (maxOpenFrames) => {
      const { ask, host, channel, batcher } = setup({ maxOpenFrames });
      const slow = [];
      for (let index = 0; index < 40; index++) {
        slow.push(ask(`slow ${index}`));
        await settled();
      }
      expect(batcher.openFrames).toBeLessThan(maxOpenFrames);
      expect(await ask("hit")).toBe("hit");
      // Waiting lookups stay alive at the owner: their keys are sent again before the old frame ends.
      for (let index = 0; index < 40; index++) host.settle(`slow ${index}`);
      expect(await Promise.all(slow)).toEqual(slow.map((_, index) => `slow ${index}`));
      // At worst each new frame replaces two others.
      expect(channel.sent.length).toBeLessThanOrEqual(82);
      await settled();
      expect(batcher.openFrames).toBe(0);
    },
  );
});

describe("closing", () => {
  it("accepts no more lookups and waits for those in flight", async () => {
    const { ask, host, batcher, clock } = setup();
    const slow = ask("slow");
    await settled();
    let closed = false;
    const closing = batcher.close().then(() => {
      closed = true;
    });
    expect(await ask("late")).toBe("CLOSED");
    await settled();
    expect(closed).toBe(false);
    host.settle("slow");
    expect(await slow).toBe("slow");
    await closing;
    await batcher.close();
    expect(clock.pendingCount).toBe(0);
  });

  it("can be ended early", async () => {
    const { ask, batcher, channel } = setup({ maxUnheardFrames: 1 });
    channel.deaf = true;
    const answers = [ask("a")];
    await settled();
    answers.push(ask("b"));
    const closing = batcher.close();
    batcher.rejectAll(new ParsecError("CLOSED", "enough"));
    expect(await Promise.all(answers)).toEqual(["CLOSED", "CLOSED"]);
    await closing;
    expect(channel.cancelled).toBe(1);
  });
});
