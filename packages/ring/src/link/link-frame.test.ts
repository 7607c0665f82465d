import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMonotonicClock } from "../lease/monotonic-clock.ts";
import { type LinkItem, packItems, unpackItems } from "./link-frame.ts";
import { Reassembly } from "./reassembly.ts";

const items = fc.array(
  fc.record({
    type: fc.constantFrom("request" as const, "answer" as const),
    number: fc.integer({ min: 1, max: 0xffff_ffff }),
    bytes: fc.uint8Array({ maxLength: 600 }),
  }),
  { maxLength: 12 },
);

function reassembly(maxBytes = 10_000): Reassembly {
  return new Reassembly({ clock: createMonotonicClock(), maxBytes, maxTotalBytes: maxBytes * 4 });
}

/** Decodes messages and reassembles their pieces. */
function received(messages: readonly Uint8Array[], put = reassembly()): LinkItem[] {
  return messages.flatMap((message) => {
    const { from, items: arrived } = unpackItems(message);
    return arrived.flatMap((item): LinkItem[] => {
      if (item.type === "request" || item.type === "answer") return [item];
      const bytes = put.take(from, item);
      const type = item.type === "request-piece" ? "request" : "answer";
      return bytes === undefined ? [] : [{ type, number: item.number, bytes }];
    });
  });
}

const plain = (list: readonly LinkItem[]): unknown[] =>
  list.map(({ type, number, bytes }) => [type, number, Buffer.from(bytes).toString("hex")]);

describe("link messages", () => {
  it("decode to the encoded items, and respect the size limit", () => {
    const unique = items.map((list) => list.map((item, at) => ({ ...item, number: at + 1 })));
    fc.assert(
      fc.property(unique, fc.integer({ min: 64, max: 700 }), (sent, maxBytes) => {
        const messages = packItems("some.address", { items: sent, maxBytes });
        for (const { bytes } of messages) expect(bytes.length).toBeLessThanOrEqual(maxBytes);
        expect(plain(received(messages.map(({ bytes }) => bytes)))).toEqual(plain(sent));
      }),
    );
  });

  it("that are truncated or corrupted throw a typed error, or decode to harmless items", () => {
    fc.assert(
      fc.property(items, fc.nat(), fc.nat(255), (sent, at, byte) => {
        const packed = packItems("some.address", { items: sent, maxBytes: 4096 });
        for (const { bytes } of packed) {
          const spoilt = Buffer.from(bytes);
          spoilt[at % spoilt.length] = byte;
          for (const broken of [spoilt, spoilt.subarray(0, at % spoilt.length)]) {
            try {
              received([broken]);
            } catch (error) {
              expect(error).toMatchObject({ code: "MALFORMED_FRAME" });
            }
          }
        }
      }),
    );
  });

  it("are dropped when a piece is missing, or when they are too long", () => {
    const long = { type: "request" as const, number: 1, bytes: new Uint8Array(5000) };
    const messages = packItems("a", { items: [long], maxBytes: 300 }).map(({ bytes }) => bytes);
    const put = reassembly();
    expect(received(messages.toSpliced(3, 1), put)).toEqual([]);
    expect(received(messages, put)).toHaveLength(1);
    expect(received(messages, reassembly(4000))).toEqual([]);
  });
});
