import { checkKey } from "./cache-key.ts";
import { invalidRequest } from "./request-refusal.ts";
import { utf8Text } from "./utf8-text.ts";

const plus = 0x2b;
const percent = 0x25;
const space = 0x20;

/**
 * Reads the key of a query such as `key=user%3A1`: `+` stands for a space, other bytes may be percent-encoded, and
 * all are UTF-8. Throws a refusal for anything else.
 */
export function keyFromQuery(query: string): string {
  let key: string | undefined;
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decodeText(equals < 0 ? pair : pair.slice(0, equals));
    if (name !== "key") throw invalidRequest(`unknown parameter ${JSON.stringify(name)}`);
    if (key !== undefined) throw invalidRequest("parameter key must be given once");
    key = decodeText(equals < 0 ? "" : pair.slice(equals + 1));
  }
  if (key === undefined) throw invalidRequest("parameter key is missing: ?key=…");
  return checkKey(key);
}

/** Decodes a parameter. `raw` has one character per byte, as Node provides it. */
function decodeText(raw: string): string {
  const bytes = Buffer.from(raw, "latin1");
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at] as number;
    if (byte === plus) byte = space;
    else if (byte === percent) {
      const hex = raw.slice(at + 1, at + 3);
      if (!/^[0-9a-fA-F]{2}$/.test(hex))
        throw invalidRequest("invalid percent escape in the query");
      byte = Number.parseInt(hex, 16);
      at += 2;
    }
    bytes[length++] = byte;
  }
  const text = utf8Text(bytes.subarray(0, length));
  if (text === undefined) throw invalidRequest("parameters must be UTF-8");
  return text;
}
