import { expect, test } from "vitest";
import { describeFlags, parseFlags, parsePort } from "./flags.ts";

const flags = {
  http: { value: "<address>", help: "where to listen" },
  "log-level": { value: "<level>", help: "how much is logged" },
  help: { help: "show this" },
} as const;

const oneDashOrTwo = { singleDash: true };

test("parses separate and attached values, and ignores --", () => {
  const given = { http: ":8081", "log-level": "debug", help: "true" };
  const args = ["--http", ":8081", "--", "--log-level=debug", "--help"];
  expect(parseFlags(args, flags)).toEqual(given);
  expect(parseFlags(args, flags, oneDashOrTwo)).toEqual(given);
  expect(parseFlags(["--http=a=b"], flags)).toEqual({ http: "a=b" });
  expect(parseFlags(["--http", "-1"], flags)).toEqual({ http: "-1" });
});

test("accepts a single dash only when allowed", () => {
  expect(parseFlags(["-http", ":8081", "-log-level=debug", "-help"], flags, oneDashOrTwo)).toEqual({
    http: ":8081",
    "log-level": "debug",
    help: "true",
  });
  expect(() => parseFlags(["-http", ":8081"], flags)).toThrow(
    '"-http" is not a flag; flags begin with --, see --help',
  );
});

const refusals = [
  [["--htp", ":1"], "there is no flag --htp; did you mean --http?"],
  [["--loglevel=1"], "there is no flag --loglevel; did you mean --log-level?"],
  [["--completely-different"], "there is no flag --completely-different; see --help"],
  [["--toString"], "there is no flag --toString; see --help"],
  [["--__proto__=x"], "there is no flag --__proto__; see --help"],
  [["8081"], '"8081" is not a flag; flags begin with --, see --help'],
  [["-"], '"-" is not a flag; flags begin with --, see --help'],
  [["---http=1"], '"---http=1" is not a flag; flags begin with --, see --help'],
  [["--=1"], '"--=1" is not a flag; flags begin with --, see --help'],
  [["--http"], "--http must have a value: --http <address>"],
  [["--http="], "--http must have a value: --http <address>"],
  [["--http", "--help"], "--http must have a value: --http <address>"],
  [["--http", "1", "--http", "2"], "--http must be given only once"],
  [["--help=yes"], "--help must not have a value"],
] as const;

test.each(refusals)("rejects %j: %s", (args, message) => {
  const refusal = expect.objectContaining({ code: "INVALID_ARGUMENT", message });
  expect(() => parseFlags(args, flags)).toThrow(refusal);
  expect(() => parseFlags(args, flags, oneDashOrTwo)).toThrow(refusal);
});

test.each([
  [["-loglevel=1"], "there is no flag --loglevel; did you mean --log-level?"],
  [["-__proto__=x"], "there is no flag --__proto__; see --help"],
  [["--http", "-help"], "--http must have a value: --http <address>"],
  [["--http", "1", "-http", "2"], "--http must be given only once"],
])("with a single dash, rejects %j: %s", (args, message) => {
  expect(() => parseFlags(args, flags, oneDashOrTwo)).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message }),
  );
});

test("parses ports from 0 to 65535", () => {
  expect([parsePort("--port", "0"), parsePort("--port", "65535")]).toEqual([0, 65_535]);
  for (const text of ["65536", "-1", "8081x", "1e3", "0x10", " 1", "99999999"]) {
    expect(() => parsePort("--port", text)).toThrow(/^--port must be a port from 0 to 65535/);
  }
});

test("lists every flag in the help", () => {
  expect(describeFlags(flags)).toBe(
    "  --http <address>     where to listen\n  --log-level <level>  how much is logged\n  --help               show this",
  );
});
