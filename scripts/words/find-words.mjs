/** @import { PlainWord } from "./plain-words.mjs" */

/** Between two words: blanks, and the beginning of the next comment line. */
const gap = "\\s+(?:(?://|\\*|#|>)\\s+)?";

/**
 * Finds the words in a text.
 *
 * @param {string} text
 * @param {readonly PlainWord[]} words
 * @returns {{ line: number, found: string, instead: string }[]} in the order of the text
 */
export function findWords(text, words) {
  const all = words.flatMap(({ found, instead, except = [] }) => {
    const excepted = except.flatMap((phrase) => spansOf(text, phrase));
    return spansOf(text, found)
      .filter((span) => !excepted.some(({ start, end }) => start <= span.start && span.end <= end))
      .map(({ start }) => ({ start, found, instead }));
  });
  return all
    .sort((one, other) => one.start - other.start)
    .map(({ start, found, instead }) => ({
      line: text.slice(0, start).split("\n").length,
      found,
      instead,
    }));
}

/**
 * @param {string} text
 * @param {string} phrase
 */
function spansOf(text, phrase) {
  const pattern = new RegExp(`\\b${phrase.split(" ").join(gap)}\\b`, "gi");
  return [...text.matchAll(pattern)].map(({ index, 0: { length } }) => ({
    start: index,
    end: index + length,
  }));
}
