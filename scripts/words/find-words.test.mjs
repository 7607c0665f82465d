import { expect, test } from "vitest";
import { findWords } from "./find-words.mjs";
import { plainWords } from "./plain-words.mjs";

/** @param {string} text */
const found = (text) => findWords(text, plainWords).map((finding) => finding.found);

test("finds each word of the list, in any case", () => {
  for (const { found: word } of plainWords) {
    expect(found(`x ${word} y`)).toEqual([word]);
    expect(found(`"${word.toUpperCase()}"`)).toEqual([word]);
  }
});

test("names line and replacement", () => {
  expect(findWords("one\ntwo\nwaits in vain", plainWords)).toEqual([
    { line: 3, found: "in vain", instead: "without success" },
  ]);
});

test("finds a phrase that a line break divides, in comments too", () => {
  expect(found("// waits for\n// ever")).toEqual(["for ever"]);
  expect(found("/**\n * X is\n * no URL\n */")).toEqual(["is no"]);
  expect(found("by\n  way of")).toEqual(["by way of"]);
});

test("passes the exceptions of an entry, and only there", () => {
  expect(found("there is no server; the node is no longer here")).toEqual([]);
  expect(found("There\n// is no server, and X is no URL")).toEqual(["is no"]);
});

test("passes longer words", () => {
  expect(found("this note, forever, dismissals; arena non-issue; isno")).toEqual([]);
});
