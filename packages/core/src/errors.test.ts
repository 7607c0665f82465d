import { describe, expect, it } from "vitest";
import { isParsecError, ParsecError } from "./errors.ts";

describe("ParsecError", () => {
  it("has a code, a message, a cause, a name and a stack", () => {
    const cause = new Error("below");
    const error = new ParsecError("TIMEOUT", "too late", { cause });
    expect(error).toMatchObject({
      code: "TIMEOUT",
      message: "too late",
      name: "ParsecError",
      cause,
    });
    expect(error).toBeInstanceOf(Error);
    expect(error.stack).toContain("errors.test.ts");
    expect("cause" in new ParsecError("CLOSED", "x")).toBe(false);
  });

  it("is recognized when another copy of the package created it", () => {
    class OtherCopy extends Error {
      readonly code = "CLOSED";
    }
    Object.defineProperty(OtherCopy.prototype, Symbol.for("@parsec/error"), { value: true });
    expect(isParsecError(new OtherCopy("x"))).toBe(true);
    expect(isParsecError(new ParsecError("CLOSED", "x"))).toBe(true);
  });

  it.each([undefined, null, "CLOSED", 1, {}, new Error("x"), { code: "CLOSED" }])(
    "is not seen in %s",
    (value) => {
      expect(isParsecError(value)).toBe(false);
    },
  );
});
