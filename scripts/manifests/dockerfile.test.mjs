import { expect, test } from "vitest";
import { dockerfileProblems } from "./dockerfile.mjs";

test("a misspelt instruction and a flag that does not exist are named with their lines", () => {
  expect(dockerfileProblems("Dockerfile", "FROM node:22-slim\nUSER 1000\n")).toEqual([]);
  const problems = dockerfileProblems(
    "Dockerfile",
    "FROM node:22-slim\nUSR 1000\nCOPY --frm=a b c\n",
  );
  expect(problems).toEqual([
    "Dockerfile:2: Unknown instruction: USR",
    expect.stringMatching(/^Dockerfile:3: .*frm/),
  ]);
});
