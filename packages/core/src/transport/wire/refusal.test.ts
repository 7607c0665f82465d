import { describe, expect, it } from "vitest";
import { ParsecError } from "../../errors.ts";
import { encodeRefusal, readRefusal } from "./refusal.ts";

function carried(error: unknown): ParsecError {
  return readRefusal("node-2", encodeRefusal(error));
}

describe("a refusal", () => {
  it("consists of code and message", () => {
    const bytes = encodeRefusal(new ParsecError("CLOSED", "this node is closing"));
    expect(bytes.toString()).toBe("CLOSED this node is closing");
  });

  it("is decoded as PEER_UNREACHABLE with the peer's own error as cause", () => {
    const error = carried(new ParsecError("CLOSED", "this node is closing"));
    expect(error).toMatchObject({
      code: "PEER_UNREACHABLE",
      message: "node-2 refused a frame: CLOSED: this node is closing",
      cause: { code: "CLOSED", message: "this node is closing" },
    });
  });

  it("keeps OVERLOADED, so that a busy peer does not count as down", () => {
    expect(carried(new ParsecError("OVERLOADED", "9 requests are under way")).code).toBe(
      "OVERLOADED",
    );
  });

  it("does not contain the message of an untyped error", () => {
    const bytes = encodeRefusal(new RangeError("password=hunter2"));
    expect(bytes.toString()).not.toContain("hunter2");
  });

  it.each(["", "\n", "{}", "nonsense", "NO_SUCH_CODE yet", "\u0000\u0001"])(
    "can be read whatever the bytes are: %j",
    (text) => {
      expect(readRefusal("node-2", Buffer.from(text)).code).toBe("PEER_UNREACHABLE");
    },
  );

  it("is cut to a bounded length on both sides", () => {
    const long = `CLOSED ${"x".repeat(1_000_000)}`;
    expect(encodeRefusal(new ParsecError("CLOSED", long)).length).toBeLessThan(1000);
    expect(readRefusal("node-2", Buffer.from(long)).message.length).toBeLessThan(1000);
  });
});
