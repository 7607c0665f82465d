import type { ParsecErrorCode } from "@parsec/core";

/** Requests and answers between nodes of this package: binary frames. */
export const frameContentType = "application/vnd.parsec.frame";
/** Go's groupcache calls its messages that. */
export const protobufContentType = "application/x-protobuf";
/** The `ParsecErrorCode` of a failed GET, or `NOT_FOUND` when the origin has nothing under the key. */
export const codeHeader = "parsec-code";
export const notFoundCode = "NOT_FOUND";
/** How long a copy of a GET's value may be kept, in milliseconds; absent for ever. Go nodes do not say it. */
export const ttlHeader = "parsec-ttl-ms";

/**
 * How a raw `+` in a path is read. Go's groupcache escapes a space as `+` and then fails to read it
 * back; `"golang"` heals that. Everybody else, this package included, sends `%2B` and `%20`.
 */
export type Dialect = "native" | "golang" | "mailgun";

const unreserved = /^[A-Za-z0-9\-_.~]*$/;
const onlyDots = /^\.{1,2}$/;
const hexDigits = "0123456789ABCDEF";

/**
 * Escapes bytes for a path: all but `A-Z a-z 0-9 - _ . ~` as `%XX`, which every server reads the
 * same way. `.` and `..` are escaped too, lest somebody on the way takes them for directories.
 */
export function escapeSegment(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  if (unreserved.test(text) && !onlyDots.test(text)) return text;
  const escapesDots = onlyDots.test(text);
  let escaped = "";
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    const plain = unreserved.test(character) && !escapesDots;
    escaped += plain ? character : `%${hexDigits[byte >> 4]}${hexDigits[byte & 15]}`;
  }
  return escaped;
}

/** The bytes of a raw path segment; undefined when a `%` is not followed by two hex digits. */
export function unescapeSegment(raw: string, dialect: Dialect): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(raw.length);
  let length = 0;
  for (let index = 0; index < raw.length; index++) {
    const code = raw.charCodeAt(index);
    if (code === 0x25) {
      const digits = raw.slice(index + 1, index + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return undefined;
      bytes[length++] = Number.parseInt(digits, 16);
      index += 2;
    } else if (code === 0x2b && dialect === "golang") bytes[length++] = 0x20;
    else bytes[length++] = code;
  }
  return bytes.subarray(0, length);
}

/** What a request's raw target addresses. */
export type Target =
  | { readonly kind: "outside" }
  | { readonly kind: "base" }
  | { readonly kind: "malformed" }
  | { readonly kind: "value"; readonly group: Buffer; readonly key: Buffer };

/**
 * Reads a raw request target byte by byte: a `URL` would drop `%2e%2e` segments, and keys may hold
 * anything. Group and key part at the first `/` after the base; a query is not looked at.
 */
export function parseTarget(
  target: string,
  options: { readonly basePath: string; readonly dialect: Dialect },
): Target {
  if (target === options.basePath) return { kind: "base" };
  const path = pathOf(target);
  if (!path.startsWith(options.basePath)) return { kind: "outside" };
  const rest = path.slice(options.basePath.length);
  if (rest === "") return { kind: "base" };
  const slash = rest.indexOf("/");
  if (slash < 0) return { kind: "malformed" };
  const group = unescapeSegment(rest.slice(0, slash), options.dialect);
  const key = unescapeSegment(rest.slice(slash + 1), options.dialect);
  if (group === undefined || key === undefined) return { kind: "malformed" };
  return { kind: "value", group, key };
}

function pathOf(target: string): string {
  const query = target.indexOf("?");
  const path = query < 0 ? target : target.slice(0, query);
  if (path.startsWith("/")) return path;
  // The absolute form, as proxies send it: http://host/path.
  const host = path.indexOf("://");
  const start = host < 0 ? -1 : path.indexOf("/", host + 3);
  return start < 0 ? "" : path.slice(start);
}

const statusByCode: Partial<Record<ParsecErrorCode, number>> = {
  NO_SUCH_GROUP: 404,
  INVALID_KEY: 400,
  MALFORMED_FRAME: 400,
  KEY_TOO_LARGE: 413,
  FRAME_TOO_LARGE: 413,
  UNAUTHENTICATED: 401,
  OVERLOADED: 503,
  CLOSED: 503,
  TIMEOUT: 504,
  PEER_UNREACHABLE: 421,
};

/** The status that a failure is reported with; 500 for whatever went wrong behind this node. */
export function statusOf(code: ParsecErrorCode): number {
  return statusByCode[code] ?? 500;
}
