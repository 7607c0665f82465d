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

/** Keys that start with "slow" wait until the test settles them; all others are answered at once. */
class ScriptedHost implements PeerHost {
  readonly asked: string[] = [];
  readonly aborted: string[] = [];
  readonly #waiting: Map<string, { done: (answer: PeerAnswer) => void; fail: (e: Error) => void }> =
    new Map();

  lookup(lookup: PeerLookup, options?: PeerCallOptions): PeerAnswer | Promise<PeerAnswer> {
    const { key } = lookup;
    this.asked.push(key);
    if (key === "bad") throw new ParsecError("NO_SUCH_GROUP", "nobody registered it");
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
  it("travel in one frame, and each gets its own answer", async () => {
    const { ask, channel } = setup();
    const keys = Array.from({ length: 100 }, (_, index) => `k${index}`);
    expect(await Promise.all(keys.map((key) => ask(key)))).toEqual(keys);
    expect(channel.sent).toHaveLength(1);
    expect(channel.pieceCounts).toEqual([1]);
  });

  it("fill more frames when one cannot hold them", async () => {
    const { ask, channel } = setup();
    await Promise.all(Array.from({ length: 250 }, (_, index) => ask(`k${index}`)));
    expect(channel.sent.map((frame) => frame.count)).toEqual([100, 100, 50]);
  });

  it("leave at the end of it when they are alone", async () => {
    const { ask, channel } = setup();
    const answer = ask("k");
    expect(channel.sent).toHaveLength(0);
    await new Promise<void>((resolve) => process.nextTick(resolve));
    expect(channel.sent).toHaveLength(1);
    expect(await answer).toBe("k");
  });

  it("issued by those who just got answers travel together too", async () => {
    const { ask, channel } = setup();
    const twice = async (key: string): Promise<string> => {
      await ask(key);
      return ask(`${key}'`);
    };
    await Promise.all(Array.from({ length: 50 }, (_, index) => twice(`k${index}`)));
    expect(channel.sent.map((frame) => frame.count)).toEqual([50, 50]);
  });

  it("gather in larger frames while the allowed ones are under way", async () => {
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

  it("do not wait for the slow one among them", async () => {
    const { ask, host, channel } = setup();
    const slow = ask("slow");
    expect(await Promise.all([ask("a"), ask("b")])).toEqual(["a", "b"]);
    expect(channel.sent).toHaveLength(1);
    host.settle("slow");
    expect(await slow).toBe("slow");
    expect(channel.pieceCounts).toEqual([2]);
  });

  it("get the owner's typed error each for itself", async () => {
    const { ask, host } = setup();
    const failing = ask("slow");
    expect(await Promise.all([ask("bad"), ask("good")])).toEqual(["NO_SUCH_GROUP", "good"]);
    host.fail("slow", new ParsecError("ORIGIN_FAILED", "no database"));
    expect(await failing).toBe("ORIGIN_FAILED");
  });

  it("take an owner that is closing for unreachable, so that somebody else may load", async () => {
    const { ask, host } = setup();
    const failing = ask("slow");
    await settled();
    host.fail("slow", new ParsecError("CLOSED", "the group was closed"));
    expect(await failing).toBe("PEER_UNREACHABLE");
  });
});

describe("limits", () => {
  it("a full queue rejects with OVERLOADED, and those inside still get their answers", async () => {
    const { ask } = setup({ maxQueued: 2 });
    expect(await Promise.all([ask("a"), ask("b"), ask("c")])).toEqual(["a", "b", "OVERLOADED"]);
  });

  it("a key too large for any frame is rejected alone", async () => {
    const { ask } = setup();
    const answers = await Promise.all([ask("a"), ask("x".repeat(70_000)), ask("b")]);
    expect(answers).toEqual(["a", "KEY_TOO_LARGE", "b"]);
  });

  it("an answer beyond maxValueBytes fails the exchange instead of being taken in", async () => {
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
  it("reject each lookup with TIMEOUT at its own, by one timer", async () => {
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

  it("hold for those who wait to be sent", async () => {
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

  it("never come when the timeout is Infinity", async () => {
    const { ask, clock, host } = setup();
    const answer = ask("slow", { timeoutMs: Number.POSITIVE_INFINITY });
    await clock.advance(1e9);
    host.settle("slow");
    expect(await answer).toBe("slow");
  });
});

describe("a caller that leaves", () => {
  it("takes away its own lookup only, and the owner hears of it", async () => {
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

  it("is made known to the owner even when it left before the frame arrived", async () => {
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

  it("ends the exchange when it was the last one", async () => {
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

  it("before it was sent is not sent", async () => {
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
  it("rejects its lookups with one and the same error, and is reported", async () => {
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

  it("by ending too early is unreachable for those left over", async () => {
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

  it("to end, though everything is answered, is cut off", async () => {
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

  it("by a channel that throws is unreachable", async () => {
    const { ask, channel } = setup();
    channel.send = () => {
      throw new TypeError("bad path");
    };
    expect(await ask("a")).toBe("PEER_UNREACHABLE");
  });
});

describe("slow origins", () => {
  it.each([3, 4, 8, 16])(
    "cannot use up %d frames: the lookups of old ones move together",
    async (maxOpenFrames) => {
      const { ask, host, channel, batcher } = setup({ maxOpenFrames });
      const slow = [];
      for (let index = 0; index < 40; index++) {
        slow.push(ask(`slow ${index}`));
        await settled();
      }
      expect(batcher.openFrames).toBeLessThan(maxOpenFrames);
      expect(await ask("hit")).toBe("hit");
      // Nobody who still waits was given up by the owner: the same key is asked again before.
      for (let index = 0; index < 40; index++) host.settle(`slow ${index}`);
      expect(await Promise.all(slow)).toEqual(slow.map((_, index) => `slow ${index}`));
      // At worst each new frame makes two others one.
      expect(channel.sent.length).toBeLessThanOrEqual(82);
      await settled();
      expect(batcher.openFrames).toBe(0);
    },
  );
});

describe("closing", () => {
  it("takes nothing more and waits for what is under way", async () => {
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

  it("can be cut short", async () => {
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
