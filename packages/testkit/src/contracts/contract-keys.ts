import { keyFromBytes } from "@parsec/core/transport";

/** Keys on which transports have been known to stumble, by what is special about them. */
export const awkwardKeys: readonly (readonly [why: string, key: string])[] = [
  ["empty", ""],
  ["a space", "a b"],
  ["a plus", "a+b"],
  ["a percent sign", "100%"],
  ["what looks escaped", "%2F%00%zz"],
  ["a slash", "a/b"],
  ["only slashes", "//"],
  ["one dot", "."],
  ["two dots", ".."],
  ["a path upwards", "../../etc/passwd"],
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
  ["no UTF-8 at all", keyFromBytes(Uint8Array.of(0xff, 0xfe))],
  ["half a UTF-8 sequence", keyFromBytes(Uint8Array.of(0x61, 0xe6, 0x97))],
  ["what JavaScript sets on every object", "__proto__"],
  ["a thousand characters", "k".repeat(1000)],
];
