import { createManualClock } from "@parsec/testkit";
import { expect, it } from "vitest";
import { bodyOffset, type Message, MessageWriter, readMessage } from "../nats-wire.ts";
import { PartialRequests } from "./nats-body.ts";

const limits = { maxFrameBytes: 100, maxPartialBytes: 150, requestTimeoutMs: 5000 };

function piece(
  number: number,
  text: string,
  over: { last?: boolean; total?: number; session?: number } = {},
): Message {
  const { last = false, total, session = 1 } = over;
  const body = Buffer.from(text);
  const prefix = Buffer.alloc(total === undefined ? 0 : 4);
  if (total !== undefined) prefix.writeUInt32LE(total);
  const whole = Buffer.concat([prefix, body]);
  const writer = new MessageWriter({ session, signed: false });
  const bytes = writer.begin({ kind: "ask", piece: number, last }, whole.length);
  whole.copy(bytes, bodyOffset(false));
  return readMessage(bytes);
}

function setup() {
  const clock = createManualClock();
  return { clock, partials: new PartialRequests(clock, limits) };
}

const malformed = expect.objectContaining({ code: "MALFORMED_FRAME" });

it("returns a request of one piece as it is", () => {
  expect(
    setup()
      .partials.take("r", piece(0, "whole", { last: true }))
      ?.toString(),
  ).toBe("whole");
});

it("reassembles the pieces of each request separately", () => {
  const { partials, clock } = setup();
  expect(partials.take("r", piece(0, "ab", { total: 6 }))).toBeUndefined();
  expect(partials.take("s", piece(0, "12", { total: 3 }))).toBeUndefined();
  expect(partials.has("r")).toBe(true);
  expect(partials.take("r", piece(1, "cd"))).toBeUndefined();
  expect(partials.take("s", piece(1, "3", { last: true }))?.toString()).toBe("123");
  expect(partials.take("r", piece(2, "ef", { last: true }))?.toString()).toBe("abcdef");
  expect(partials.has("r")).toBe(false);
  expect(clock.pendingCount).toBe(0);
});

it.each([
  ["a piece before the first", [piece(1, "x")]],
  ["a piece left out", [piece(0, "a", { total: 9 }), piece(2, "c")]],
  ["a piece twice", [piece(0, "a", { total: 9 }), piece(1, "b"), piece(1, "b")]],
  ["a piece of another sender", [piece(0, "a", { total: 9 }), piece(1, "b", { session: 2 })]],
  ["more than announced", [piece(0, "a", { total: 2 }), piece(1, "bc", { last: true })]],
  ["an end before all is there", [piece(0, "a", { total: 9 }), piece(1, "b", { last: true })]],
  ["no end when all is there", [piece(0, "a", { total: 2 }), piece(1, "b")]],
  ["no room for the length", [piece(0, "ab")]],
])("refuses %s, and drops the request", (_, pieces) => {
  const { partials, clock } = setup();
  const last = pieces.pop() as Message;
  for (const one of pieces) partials.take("r", one);
  expect(() => partials.take("r", last)).toThrow(malformed);
  expect(partials.has("r")).toBe(false);
  expect(clock.pendingCount).toBe(0);
});

it("refuses a request whose announced length exceeds the limits, alone or with others", () => {
  const { partials } = setup();
  expect(() => partials.take("r", piece(0, "", { total: 101 }))).toThrow(
    expect.objectContaining({ code: "FRAME_TOO_LARGE" }),
  );
  partials.take("r", piece(0, "", { total: 100 }));
  expect(() => partials.take("s", piece(0, "", { total: 51 }))).toThrow(
    expect.objectContaining({ code: "OVERLOADED" }),
  );
  partials.forget("r");
  expect(partials.take("s", piece(0, "", { total: 51 }))).toBeUndefined();
});

it("drops requests whose pieces do not arrive in time, or whose sender is gone", () => {
  const { partials, clock } = setup();
  partials.take("r", piece(0, "a", { total: 100 }));
  clock.advance(5000);
  expect(partials.has("r")).toBe(false);
  partials.take("s", piece(0, "a", { total: 100 }));
  partials.clear();
  expect(partials.has("s")).toBe(false);
  expect(clock.pendingCount).toBe(0);
});
