import { describe, expect, it } from "vitest";
import { ParsecError } from "./errors.ts";
import {
  choiceOption,
  describe as describeValue,
  functionOption,
  numberOption,
  rangeOption,
  secretsOption,
  signalOption,
  wholeOption,
} from "./option-checks.ts";

function numberOf(given: unknown): number {
  return numberOption("sizeBytes", {
    given: given as number | undefined,
    fallback: 7,
    min: 1,
    max: 10,
  });
}

describe("numberOption", () => {
  it("returns the number, or the default when absent", () => {
    expect([1, 5.5, 10, undefined].map(numberOf)).toEqual([1, 5.5, 10, 7]);
  });

  it.each([0, 10.1, -1, Number.NaN, Number.POSITIVE_INFINITY, "5", null, {}, [], true, 5n])(
    "rejects %s with the name and the range",
    (given) => {
      expect(() => numberOf(given)).toThrow(
        expect.objectContaining({
          code: "INVALID_ARGUMENT",
          message: expect.stringMatching(/^sizeBytes must be a number from 1 to 10, got /),
        }),
      );
    },
  );
});

describe("rangeOption and wholeOption", () => {
  const range = [7, 1, 10] as const;

  it("return the number, or the default when absent", () => {
    expect([1, 5.5, undefined].map((given) => rangeOption("size", given, range))).toEqual([
      1, 5.5, 7,
    ]);
    expect([1, 10, undefined].map((given) => wholeOption("size", given, range))).toEqual([
      1, 10, 7,
    ]);
  });

  it("reject with the name and the rule", () => {
    for (const option of [rangeOption, wholeOption]) {
      expect(() => option("size", 11, range)).toThrow("size must be a number from 1 to 10, got 11");
    }
    expect(() => wholeOption("size", 5.5, range)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: "size must be a whole number, got 5.5",
      }),
    );
  });
});

describe("secretsOption", () => {
  const [one, two] = ["one-secret-of-many", "another-secret-of-many"];

  it("returns an array, empty when absent", () => {
    expect(secretsOption(undefined)).toEqual([]);
    expect(secretsOption(one)).toEqual([one]);
    expect(secretsOption([one, two])).toEqual([one, two]);
  });

  it.each(["", "x".repeat(15), [], [one, "short"], [one, 5], null, 5, { secret: one }])(
    "rejects %j without repeating it",
    (given) => {
      expect(() => secretsOption(given as string)).toThrow(
        expect.objectContaining({
          code: "INVALID_ARGUMENT",
          message: expect.stringMatching(
            /^secret must (be a string or a non-empty array of strings|have at least 16 characters)$/,
          ),
        }),
      );
    },
  );
});

describe("choiceOption", () => {
  const choiceOf = (given: unknown): string =>
    choiceOption("mode", { given: given as "a" | undefined, choices: ["a", "b"] });

  it("returns the choice, or the first when absent", () => {
    expect(["a", "b", undefined].map(choiceOf)).toEqual(["a", "b", "a"]);
  });

  it.each(["c", "", null, 1, {}])("rejects %j with the name and the choices", (given) => {
    expect(() => choiceOf(given)).toThrow(ParsecError);
    expect(() => choiceOf(given)).toThrow(/^mode must be "a" or "b", got /);
  });
});

describe("functionOption", () => {
  it("accepts functions only", () => {
    functionOption("load", () => 1);
    for (const given of [undefined, null, {}, "() => 1"]) {
      expect(() => functionOption("load", given)).toThrow(/^load must be a function, got /);
    }
  });
});

describe("signalOption", () => {
  it("accepts signals only", () => {
    signalOption(new AbortController().signal);
    for (const given of [{}, "signal", 5, new AbortController()]) {
      expect(() => signalOption(given)).toThrow(/^signal must be an AbortSignal, got /);
    }
  });
});

describe("describe", () => {
  it.each([
    ["text", '"text"'],
    ["x".repeat(100), `"${"x".repeat(64)}…"`],
    [undefined, "undefined"],
    [null, "null"],
    [12, "12"],
    [12n, "12"],
    [true, "true"],
    [Symbol("s"), "Symbol(s)"],
    [{ secret: "hidden" }, "an object"],
    [["hidden"], "an array"],
    [() => "hidden", "a function"],
  ])("shows %s shortly and without an object's inside", (value, text) => {
    expect(describeValue(value)).toBe(text);
  });
});
