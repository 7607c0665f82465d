import { describe, expect, it } from "vitest";
import { type Deferred, deferred } from "../../../test/deferred.ts";
import { SteppedClock, settled } from "../../../test/stepped-clock.ts";
import type { PeerAnswer, PeerHost, PeerInvalidation } from "../../peer.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { encodeCancellation, encodeInvalidations } from "../wire/invalidations.ts";
import { resolveFrameLimits } from "../wire/limits.ts";
import { LookupFrameWriter } from "../wire/lookups.ts";
import { createFrameService, type FrameService } from "./frame-service.ts";
import type { AnswerSink } from "./served-frame.ts";

const limits = { ...resolveFrameLimits(), maxRequests: 2 };
const requester = { frameId: 7, sender: 1 };

function lookupOf(key: string): Buffer {
  const writer = new LookupFrameWriter(new ByteWriter(64), { limits, sender: requester.sender });
  writer.begin(requester.frameId);
  writer.add({ group: "g", key, input: undefined, fence: 0, timeoutMs: 1000 }, 1000);
  return writer.finish();
}

/** Answers "now" at once, and all other keys when the test says so. */
class Host implements PeerHost {
  readonly waiting: Deferred<PeerAnswer>[] = [];
  readonly signals: AbortSignal[] = [];
  readonly invalidations: PeerInvalidation[] = [];

  lookup(
    { key }: { readonly key: string },
    options?: { readonly signal?: AbortSignal | undefined },
  ): PeerAnswer | Promise<PeerAnswer> {
    const answer = { value: Buffer.from(key), ttlMs: 1, fence: 0, ratePerMinute: 0 };
    if (key === "now") return answer;
    if (options?.signal !== undefined) this.signals.push(options.signal);
    const later = deferred<PeerAnswer>();
    this.waiting.push(later);
    return later.promise;
  }

  invalidate(invalidation: PeerInvalidation): void {
    this.invalidations.push(invalidation);
  }

  answerAll(): void {
    for (const { resolve } of this.waiting.splice(0)) {
      resolve({ value: undefined, ttlMs: 0, fence: 0, ratePerMinute: 0 });
    }
  }
}

class Sink implements AnswerSink {
  isOver = false;
  sendAll(): void {
    this.isOver = true;
  }
  send(): boolean {
    return true;
  }
  finish(): void {
    this.isOver = true;
  }
}

function serving(): { service: FrameService; host: Host; clock: SteppedClock } {
  const clock = new SteppedClock();
  const service = createFrameService({ clock, sender: 2, limits, closeTimeoutMs: 50 });
  const host = new Host();
  service.attach(host);
  return { service, host, clock };
}

describe("createFrameService", () => {
  it("returns undefined when all answers were sent at once", () => {
    const { service } = serving();
    const sink = new Sink();
    expect(service.serve(lookupOf("now"), sink)).toBeUndefined();
    expect(sink.isOver).toBe(true);
  });

  it("returns the frame while it waits, and cancels the loads of a requester that is gone", async () => {
    const { service, host } = serving();
    const sink = new Sink();
    const served = service.serve(lookupOf("later"), sink);
    expect(host.signals[0]?.aborted).toBe(false);
    served?.disconnected();
    served?.disconnected();
    expect(host.signals[0]?.aborted).toBe(true);
    await service.close();
    expect(sink.isOver).toBe(false);
  });

  it("applies invalidations and answers them", () => {
    const { service, host } = serving();
    const sink = new Sink();
    const invalidation = { group: "g", target: { kind: "all" }, fence: 1 } as const;
    const frame = encodeInvalidations({ ...requester, invalidations: [invalidation] }, limits);
    expect(service.serve(frame, sink)).toBeUndefined();
    expect(sink.isOver).toBe(true);
    expect(host.invalidations).toHaveLength(1);
  });

  it("refuses more requests than the limit with OVERLOADED until one has ended", async () => {
    const { service, host } = serving();
    service.serve(lookupOf("a"), new Sink());
    service.serve(lookupOf("b"), new Sink());
    expect(() => service.serve(lookupOf("now"), new Sink())).toThrow(
      expect.objectContaining({ code: "OVERLOADED" }),
    );
    host.answerAll();
    await settled();
    expect(service.serve(lookupOf("now"), new Sink())).toBeUndefined();
  });

  it("does not count a malformed frame", () => {
    const { service } = serving();
    for (let count = 0; count < 3; count++) {
      expect(() => service.serve(lookupOf("a").subarray(0, 30), new Sink())).toThrow(
        expect.objectContaining({ code: "MALFORMED_FRAME" }),
      );
    }
    expect(() => service.serve(Buffer.from("nonsense"), new Sink())).toThrow(
      expect.objectContaining({ code: "MALFORMED_FRAME" }),
    );
    expect(service.serve(lookupOf("now"), new Sink())).toBeUndefined();
  });

  it("lets open requests finish before it closes, and refuses others with CLOSED", async () => {
    const { service, host } = serving();
    const sink = new Sink();
    service.serve(lookupOf("later"), sink);
    const closing = service.close();
    expect(() => service.serve(lookupOf("now"), new Sink())).toThrow(
      expect.objectContaining({ code: "CLOSED" }),
    );
    host.answerAll();
    await closing;
    expect(sink.isOver).toBe(true);
  });

  it("accepts cancellations while it closes", async () => {
    const { service, host } = serving();
    service.serve(lookupOf("later"), new Sink());
    const closing = service.close();
    const cancellation = encodeCancellation({ ...requester, indexes: [0] });
    expect(service.serve(cancellation, new Sink())).toBeUndefined();
    expect(host.signals[0]?.aborted).toBe(true);
    host.answerAll();
    await closing;
  });

  it("closes after closeTimeoutMs despite open requests", async () => {
    const { service, clock } = serving();
    service.serve(lookupOf("never"), new Sink());
    const closing = service.close();
    await clock.advance(50);
    await closing;
  });

  it("refuses with CLOSED before a host is attached, and a second host", () => {
    const clock = new SteppedClock();
    const service = createFrameService({ clock, sender: 2, limits, closeTimeoutMs: 50 });
    expect(() => service.serve(lookupOf("now"), new Sink())).toThrow(
      expect.objectContaining({ code: "CLOSED" }),
    );
    service.attach(new Host());
    expect(() => service.attach(new Host())).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});
