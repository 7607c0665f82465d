import { describe, expect, it } from "vitest";
import { settled } from "../../../test/stepped-clock.ts";
import { ParsecError } from "../../errors.ts";
import type {
  PeerAnswer,
  PeerCallOptions,
  PeerContact,
  PeerHandOver,
  PeerHost,
  PeerInvalidation,
  PeerLookup,
} from "../../peer.ts";
import { AnswerReader, type AnswerReceiver } from "../wire/answer-reader.ts";
import { readAppliedEach, readContact, readTakenOver } from "../wire/applied-outcome.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { encodeContact } from "../wire/contacts.ts";
import { encodeEntries } from "../wire/entries.ts";
import { encodeInvalidations } from "../wire/invalidations.ts";
import { resolveFrameLimits } from "../wire/limits.ts";
import { LookupFrameWriter } from "../wire/lookups.ts";
import { createFrameServer } from "./frame-server.ts";
import type { AnswerSink } from "./served-frame.ts";

const limits = resolveFrameLimits();

function frameOf(keys: readonly string[], sender = 1): Buffer {
  const writer = new LookupFrameWriter(new ByteWriter(64), { limits, sender });
  writer.begin(7);
  for (const key of keys) {
    writer.add({ group: "g", key, input: undefined, fence: 0, timeoutMs: 1000 }, 1000);
  }
  return writer.finish();
}

class Response implements AnswerSink, AnswerReceiver {
  readonly frameId = 7;
  readonly count = 1000;
  readonly pieces: string[][] = [];
  state: "open" | "finished" = "open";
  /** What `send` returns: whether the next piece may follow. */
  room = true;
  #piece: string[] = [];
  readonly #reader: AnswerReader = new AnswerReader(this, limits);

  sendAll(bytes: Buffer): void {
    this.send(bytes);
    this.finish();
  }

  send(bytes: Buffer): boolean {
    this.#piece = [];
    this.#reader.push(bytes);
    this.pieces.push(this.#piece);
    return this.room;
  }

  finish(): void {
    this.state = "finished";
  }

  answered(index: number, answer: PeerAnswer): void {
    this.#piece.push(`${index}=${answer.value?.length ?? "-"}`);
  }

  failed(index: number, error: ParsecError): void {
    this.#piece.push(`${index}!${error.code}`);
  }

  applied(index: number): void {
    this.#piece.push(`${index}+`);
  }
}

/** `hit` is in memory, `big` too with 100 KiB, `soon` takes a turn, `never` an eternity, `boom` throws. */
class Host implements PeerHost {
  readonly asked: PeerLookup[] = [];
  readonly invalidations: PeerInvalidation[] = [];
  readonly taken: PeerHandOver[] = [];
  aborts = 0;

  lookup(lookup: PeerLookup, options?: PeerCallOptions): PeerAnswer | Promise<PeerAnswer> {
    this.asked.push(lookup);
    const answer = { value: Buffer.alloc(1), ttlMs: 1, fence: 0, ratePerMinute: 0 };
    if (lookup.key === "big") return { ...answer, value: Buffer.alloc(100 * 1024) };
    if (lookup.key === "soon") return Promise.resolve(answer);
    if (lookup.key === "boom") throw new TypeError("a bug with a secret");
    if (lookup.key !== "never") return answer;
    options?.signal?.addEventListener("abort", () => this.aborts++);
    return new Promise(() => {});
  }

  invalidate(invalidation: PeerInvalidation): void {
    if (invalidation.group === "unknown") throw new ParsecError("NO_SUCH_GROUP", "no such group");
    this.invalidations.push(invalidation);
  }

  takeOver(part: PeerHandOver): number {
    if (part.group === "unknown") throw new ParsecError("NO_SUCH_GROUP", "no such group");
    this.taken.push(part);
    return part.ticket === 0 ? 77 : 0;
  }
}

function setup() {
  const host = new Host();
  return { host, response: new Response(), server: createFrameServer({ host, limits, sender: 2 }) };
}

describe("lookups", () => {
  it("are answered at once in one piece when memory has all of them", () => {
    const { server, response } = setup();
    server.lookups(frameOf(["hit", "hit", "boom"]), response);
    expect(response.pieces).toEqual([["0=1", "1=1", "2!ORIGIN_FAILED"]]);
    expect(response.state).toBe("finished");
  });

  it("are answered in one piece when the other loads end within the turn", async () => {
    const { server, response } = setup();
    server.lookups(frameOf(["hit", "soon"]), response);
    expect(response.pieces).toEqual([]);
    await settled();
    expect(response.pieces).toEqual([["0=1", "1=1"]]);
  });

  it("are answered in pieces, hits first, when some have to be loaded", async () => {
    const { server, response, host } = setup();
    const served = server.lookups(frameOf(["never", "hit"]), response);
    await settled();
    expect(response.pieces).toEqual([["1=1"]]);
    expect(response.state).toBe("open");
    served.disconnected();
    expect(host.aborts).toBe(1);
    served.disconnected();
    expect(host.aborts).toBe(1);
  });

  it("with large values are sent in pieces under back-pressure", async () => {
    const { server, response, host } = setup();
    response.room = false;
    const served = server.lookups(frameOf(Array.from({ length: 9 }, () => "big")), response);
    expect(host.asked.length).toBe(3);
    expect(response.pieces.map((piece) => piece.length)).toEqual([3]);
    await settled();
    expect(host.asked.length).toBe(3);
    served.resume();
    expect(host.asked.length).toBe(6);
    response.room = true;
    served.resume();
    expect(response.pieces.flat()).toHaveLength(9);
    expect(response.state).toBe("finished");
  });

  it("that are cancelled get their signal fired and nothing else", async () => {
    const { server, response, host } = setup();
    server.lookups(frameOf(["never", "never"]), response);
    await settled();
    // Kind 4, frame 7, sender 1, the lookup at index 1 and an unknown index.
    const cancellation = Buffer.from("5001040007000000000000000000f03f020001000900", "hex");
    server.cancellation(cancellation);
    expect(host.aborts).toBe(1);
    expect(response.state).toBe("open");
  });

  it("are not passed to the host when the frame is malformed", () => {
    const { server, response, host } = setup();
    const frame = frameOf(["hit", "hit"]);
    expect(() => server.lookups(frame.subarray(0, -1), response)).toThrow(ParsecError);
    expect(host.asked).toEqual([]);
  });

  it("from this node itself are rejected", () => {
    const { server, response, host } = setup();
    expect(() => server.lookups(frameOf(["hit"], 2), response)).toThrow(
      "comes from this node itself",
    );
    expect(host.asked).toEqual([]);
  });

  it("get an empty answer for an empty frame", () => {
    const { server, response } = setup();
    server.lookups(frameOf([]), response);
    expect(response.pieces).toEqual([[]]);
    expect(response.state).toBe("finished");
  });
});

describe("invalidations", () => {
  const invalidation = (group: string): PeerInvalidation => ({
    group,
    target: { kind: "all" },
    fence: 5,
  });
  const frame = (...groups: string[]): Buffer =>
    encodeInvalidations({ frameId: 3, sender: 1, invalidations: groups.map(invalidation) }, limits);

  it("are applied before they are acknowledged", () => {
    const { server, host } = setup();
    const answer = server.invalidations(frame("a", "b"));
    expect(host.invalidations).toEqual([invalidation("a"), invalidation("b")]);
    expect(readAppliedEach(answer, { frameId: 3, count: 2 })).toEqual([undefined, undefined]);
  });

  it("that fail report their error and do not stop the others", () => {
    const { server, host } = setup();
    const answer = server.invalidations(frame("unknown", "b"));
    expect(host.invalidations).toEqual([invalidation("b")]);
    expect(readAppliedEach(answer, { frameId: 3, count: 2 })).toEqual([
      expect.objectContaining({ code: "NO_SUCH_GROUP" }),
      undefined,
    ]);
  });

  it("count as failed when the answer omits one or belongs to another frame", () => {
    const { server } = setup();
    const answer = server.invalidations(frame("a"));
    expect(readAppliedEach(answer, { frameId: 3, count: 2 })).toEqual([
      undefined,
      expect.objectContaining({ code: "PEER_UNREACHABLE" }),
    ]);
    expect(() => readAppliedEach(answer, { frameId: 4, count: 1 })).toThrow(
      expect.objectContaining({ code: "MALFORMED_FRAME" }),
    );
  });
});

describe("contacts", () => {
  const contact = { peerId: "http://node", session: 9, isLeaving: true };
  const frame = encodeContact({ frameId: 3, sender: 1, contact }, limits);

  it("are answered by the host, and apply nothing", () => {
    const { host } = setup();
    const answer = { session: 5, promise: 0, owes: true };
    const met: PeerContact[] = [];
    const meeting: PeerHost = {
      lookup: (lookup) => host.lookup(lookup),
      invalidate: (invalidation) => host.invalidate(invalidation),
      contact(given) {
        met.push(given);
        return answer;
      },
    };
    const server = createFrameServer({ host: meeting, limits, sender: 2 });
    expect(readContact(server.invalidations(frame), 3)).toEqual(answer);
    expect(met).toEqual([contact]);
    expect(host.invalidations).toEqual([]);
  });

  it("get no answer from a host without contacts, as from an earlier release", () => {
    const { server, host } = setup();
    expect(readContact(server.invalidations(frame), 3)).toBeUndefined();
    expect(host.invalidations).toEqual([]);
  });
});

describe("entries", () => {
  const entry = { key: "k", value: Buffer.from("v"), ttlMs: 1, tags: ["t"], fence: 5 };
  const frame = (part: Partial<PeerHandOver> = {}, sender = 1): Buffer =>
    encodeEntries(
      { frameId: 3, sender, part: { group: "g", ticket: 0, entries: [entry], ...part } },
      limits,
    );

  it("are accepted before the next ticket is returned", () => {
    const { server, host } = setup();
    expect(readTakenOver(server.entries(frame()), 3)).toBe(77);
    expect(readTakenOver(server.entries(frame({ ticket: 77 })), 3)).toBe(0);
    expect(host.taken).toEqual([
      { group: "g", ticket: 0, entries: [entry] },
      { group: "g", ticket: 77, entries: [entry] },
    ]);
  });

  it("that are rejected report the error", () => {
    const { server } = setup();
    expect(() => readTakenOver(server.entries(frame({ group: "unknown" })), 3)).toThrow(
      expect.objectContaining({ code: "NO_SUCH_GROUP" }),
    );
  });

  it("from this node itself, or malformed, are rejected", () => {
    const { server, host } = setup();
    expect(() => server.entries(frame({}, 2))).toThrow("comes from this node itself");
    expect(() => server.entries(frame().subarray(0, -1))).toThrow(ParsecError);
    expect(host.taken).toEqual([]);
  });

  it("get ticket 0 from a host without takeOver", () => {
    const { lookup, invalidate } = new Host();
    const server = createFrameServer({ host: { lookup, invalidate }, limits, sender: 2 });
    expect(readTakenOver(server.entries(frame()), 3)).toBe(0);
  });

  it("count as rejected when the answer belongs to another frame or to lookups", () => {
    const { server } = setup();
    expect(() => readTakenOver(server.entries(frame()), 4)).toThrow(
      expect.objectContaining({ code: "MALFORMED_FRAME" }),
    );
    const nothing = server.invalidations(
      encodeInvalidations({ frameId: 3, sender: 1, invalidations: [] }, limits),
    );
    expect(() => readTakenOver(nothing, 3)).toThrow(
      expect.objectContaining({ code: "PEER_UNREACHABLE" }),
    );
  });
});
