import { keyFromBytes } from "@parsec/core/transport";

/** Keys that some encodings damage, each with a description of its content. */
export const specialKeys: readonly (readonly [content: string, key: string])[] = [
  ["no characters", ""],
  ["a space", "a b"],
  ["a plus", "a+b"],
  ["a percent sign", "100%"],
  ["escape sequences", "%2F%00%zz"],
  ["a slash", "a/b"],
  ["only slashes", "//"],
  ["one dot", "."],
  ["two dots", ".."],
  ["a path to a parent folder", "../../etc/passwd"],
  ["a question mark and a hash", "a?b=c&d#e"],
  ["a colon and quotes", `tenant:"7"'`],
  ["a backslash", "a\\b"],
  ["CR and LF", "a\r\nb: c"],
  ["NUL", "a\0b"],
  ["Latin letters beyond ASCII", "Köln"],
  ["Japanese", "日本"],
  ["letters outside the basic plane", "🦉🦉"],
  ["a composed and a decomposed letter", "é e\u0301"],
  ["a dot and a star of a subject", "a.*.>"],
  ["bytes that are not UTF-8", keyFromBytes(Uint8Array.of(0xff, 0xfe))],
  ["an incomplete UTF-8 sequence", keyFromBytes(Uint8Array.of(0x61, 0xe6, 0x97))],
  ["the name of a property of every object", "__proto__"],
  ["a thousand characters", "k".repeat(1000)],
];
