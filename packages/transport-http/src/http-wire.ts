import type { ParsecErrorCode } from "@parsec/core";

/** Content type of requests and responses between Parsec nodes: binary frames. */
export const frameContentType = "application/vnd.parsec.frame";
/** Content type of Go groupcache's messages. */
export const protobufContentType = "application/x-protobuf";
/** Response header: the `ParsecErrorCode` of a failed GET, or `NOT_FOUND` when the origin has no value for the key. */
export const codeHeader = "parsec-code";
export const notFoundCode = "NOT_FOUND";
/** Response header: time to live of a GET's value in milliseconds; Go nodes do not send it, see `remaining-time.ts`. */
export const ttlHeader = "parsec-ttl-ms";

/**
 * How a raw `+` in the path of a GET is decoded. Go's groupcache encodes a space as `+`, so `"golang"`
 * decodes `+` as a space; the other two leave it as it is. Parsec nodes send `%2B` and `%20`.
 */
export type Dialect = "native" | "golang" | "mailgun";

/** The head that a request's signature covers: the method and the raw target. */
export function signedHead(method: string, target: string): string {
  return `${method}\n${target}`;
}

const unreserved = /^[A-Za-z0-9\-_.~]*$/;
const onlyDots = /^\.{1,2}$/;
const hexDigits = "0123456789ABCDEF";

/**
 * Escapes bytes for a path: all but `A-Z a-z 0-9 - _ . ~` as `%XX`, which every server decodes the
 * same way. `.` and `..` are escaped too, so that proxies do not resolve them as directories.
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

/** The parsed target of a request: outside of the base path, the base path itself, or a value of a group. */
export type Target =
  | { readonly kind: "outside" }
  | { readonly kind: "base" }
  | { readonly kind: "malformed" }
  | { readonly kind: "value"; readonly group: Buffer; readonly key: Buffer };

/**
 * Parses a raw request target byte by byte: `URL` would drop `%2e%2e` segments, and keys may contain
 * any bytes. The first `/` after the base path separates group and key. A query is ignored.
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
  // Absolute form, as sent by proxies: http://host/path.
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

/** The HTTP status for an error code; 500 for failures of the origin and all others. */
export function statusOf(code: ParsecErrorCode): number {
  return statusByCode[code] ?? 500;
}
