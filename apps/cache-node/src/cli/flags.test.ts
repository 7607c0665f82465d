import { expect, test } from "vitest";
import { describeFlags, parseFlags } from "./flags.ts";

const flags = {
  http: { value: "<address>", help: "where to listen" },
  "log-level": { value: "<level>", help: "how much is logged" },
  help: { help: "show this" },
} as const;

test("one dash or two; values follow or are attached; -- is passed over", () => {
  expect(parseFlags(["-http", ":8081", "--", "--log-level=debug", "-help"], flags)).toEqual({
    http: ":8081",
    "log-level": "debug",
    help: "true",
  });
  expect(parseFlags(["-http=:8081"], flags)).toEqual({ http: ":8081" });
  expect(parseFlags(["--http=a=b"], flags)).toEqual({ http: "a=b" });
});

test.each([
  [["--htp", ":1"], "there is no flag --htp; did you mean --http?"],
  [["-loglevel=1"], "there is no flag --loglevel; did you mean --log-level?"],
  [["--completely-different"], "there is no flag --completely-different; see --help"],
  [["--toString"], "there is no flag --toString; see --help"],
  [["-__proto__=x"], "there is no flag --__proto__; see --help"],
  [["8081"], '"8081" is not understood; flags begin with --, see --help'],
  [["-"], '"-" is not understood; flags begin with --, see --help'],
  [["---http=1"], '"---http=1" is not understood; flags begin with --, see --help'],
  [["--=1"], '"--=1" is not understood; flags begin with --, see --help'],
  [["--http"], "--http needs a value: --http <address>"],
  [["--http="], "--http needs a value: --http <address>"],
  [["--http", "-help"], "--http needs a value: --http <address>"],
  [["--http", "1", "-http", "2"], "--http is given twice"],
  [["--help=yes"], "--help takes no value"],
])("%j: %s", (args, message) => {
  expect(() => parseFlags(args, flags)).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message }),
  );
});

test("the help lists every flag", () => {
  expect(describeFlags(flags)).toBe(
    "  --http <address>     where to listen\n  --log-level <level>  how much is logged\n  --help               show this",
  );
});
