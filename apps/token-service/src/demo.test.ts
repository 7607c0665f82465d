import { runProgram } from "@parsec/program/testing";
import { expect, test } from "vitest";

test("the tour passes its own checks and prints the figures", async () => {
  const program = runProgram("demo");
  const code = await program.ended;
  const output = program.stdout() + program.stderr();
  expect(output).toMatch(/^1\. .*: 3 tokens, 1 query, [\d.]+ ms$/m);
  expect(output).toMatch(/^2\. .*: 100 tokens, 1 query, [\d.]+ ms$/m);
  expect(output).toMatch(/^3\. .*: 3 tokens, 1 query, .*all nodes told in [\d.]+ ms$/m);
  expect(output).toMatch(/^4\. .*: 6 tokens, .*the slowest in [\d.]+ ms$/m);
  expect(output).toMatch(/^All checks passed/m);
  expect(code).toBe(0);
});

test.each([
  [["--port", "1"], "demo: there is no flag --port; see --help\n"],
  [["--database-ulr=x"], "demo: there is no flag --database-ulr; did you mean --database-url?\n"],
])("%j: one line, exit code 2", async (args, message) => {
  const program = runProgram("demo", { args });
  expect(await program.ended).toBe(2);
  expect(program.stderr()).toBe(message);
});
