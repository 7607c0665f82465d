// Finds words in the repository's own texts (comments, strings, documentation, titles of tests) for which
// scripts/words/plain-words.mjs has a plainer one.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { findWords } from "./words/find-words.mjs";
import { plainWords } from "./words/plain-words.mjs";

process.chdir(new URL("..", import.meta.url).pathname);
/** What nobody here has written, what is generated from other texts, and the list itself. */
const skipped =
  /^(LICENSE|pnpm-lock\.yaml|bench\/results\/|scripts\/words\/)|\.api\.md$|\.(svg|png|bin|pem)$/;

const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  encoding: "utf8",
  maxBuffer: 64 * 2 ** 20,
});
const paths = listed.split("\n").filter((path) => path !== "" && !skipped.test(path));
for (const path of new Set(paths)) {
  for (const { line, found, instead } of findWords(readText(path), plainWords)) {
    console.log(`${path}:${line}: "${found}": write ${instead}`);
    process.exitCode = 1;
  }
}

/** @param {string} path */
function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // deleted, but not yet in a commit
  }
}
