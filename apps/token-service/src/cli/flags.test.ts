import { expect, test } from "vitest";
import { describeFlags, parseFlags, parsePort } from "./flags.ts";

const flags = {
  port: { value: "<port>", help: "the port" },
  "idp-port": { value: "<port>", help: "another port" },
  help: { help: "show this" },
} as const;

test("values follow or are attached; -- is passed over", () => {
  expect(parseFlags(["--port", "1", "--", "--idp-port=2", "--help"], flags)).toEqual({
    port: "1",
    "idp-port": "2",
    help: "true",
  });
});

test.each([
  [["--prot", "1"], "there is no flag --prot; did you mean --port?"],
  [["--idpport=1"], "there is no flag --idpport; did you mean --idp-port?"],
  [["--completely-different"], "there is no flag --completely-different; see --help"],
  [["--toString"], "there is no flag --toString; see --help"],
  [["8081"], '"8081" is not understood; flags begin with --, see --help'],
  [["-p", "1"], '"-p" is not understood; flags begin with --, see --help'],
  [["--port"], "--port needs a value: --port <port>"],
  [["--port="], "--port needs a value: --port <port>"],
  [["--port", "--help"], "--port needs a value: --port <port>"],
  [["--port", "1", "--port", "2"], "--port is given twice"],
  [["--help=yes"], "--help takes no value"],
])("%j: %s", (args, message) => {
  expect(() => parseFlags(args, flags)).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message }),
  );
});

test("ports", () => {
  expect([parsePort("--port", "0"), parsePort("--port", "65535")]).toEqual([0, 65_535]);
  for (const text of ["65536", "-1", "8081x", "1e3", "0x10", " 1", "99999999"]) {
    expect(() => parsePort("--port", text)).toThrow(/^--port must be a port from 0 to 65535/);
  }
});

test("the help lists every flag", () => {
  expect(describeFlags(flags)).toBe(
    "  --port <port>      the port\n  --idp-port <port>  another port\n  --help             show this",
  );
});
