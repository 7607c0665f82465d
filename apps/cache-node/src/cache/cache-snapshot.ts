import { ParsecError } from "@parsec/core";
import type { CacheRecord } from "./cache-entry.ts";
import { cacheLimits } from "./cache-limits.ts";

const version = 1;
const versionBytes = 1;
/** Bytes before an entry: lengths of key and value, and the time of expiry. */
const headBytes = 4 + 4 + 8;
const chunkBytes = 64 * 1024;

/** Encodes entries in chunks; `decodeSnapshot` decodes them, wherever the chunks are split. */
export function* encodeSnapshot(records: Iterable<CacheRecord>): Generator<Uint8Array> {
  let chunk = Buffer.allocUnsafe(chunkBytes);
  let length = chunk.writeUInt8(version, 0);
  for (const { key, value, expiresAtMs } of records) {
    const keyBytes = Buffer.byteLength(key);
    const valueBytes = Buffer.byteLength(value);
    const bytes = headBytes + keyBytes + valueBytes;
    if (length + bytes > chunk.length) {
      if (length > 0) yield chunk.subarray(0, length);
      // A new buffer: the reader of the last chunk may still use it.
      chunk = Buffer.allocUnsafe(Math.max(chunkBytes, bytes));
      length = 0;
    }
    chunk.writeUInt32LE(keyBytes, length);
    chunk.writeUInt32LE(valueBytes, length + 4);
    chunk.writeDoubleLE(expiresAtMs, length + 8);
    chunk.write(key, length + headBytes);
    chunk.write(value, length + headBytes + keyBytes);
    length += bytes;
  }
  if (length > 0) yield chunk.subarray(0, length);
}

/** Decodes a snapshot. Throws `MALFORMED_FRAME` when it is not valid, or ends within an entry. */
export async function* decodeSnapshot(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<CacheRecord> {
  let rest: Buffer = Buffer.alloc(0);
  let isFirst = true;
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let at = 0;
    if (isFirst && rest.length > 0) {
      if (rest.readUInt8(0) !== version) throw malformed("has another version");
      isFirst = false;
      at = versionBytes;
    }
    for (;;) {
      const size = sizeAt(rest, at);
      if (size === undefined || at + size > rest.length) break;
      yield recordAt(rest, at);
      at += size;
    }
    rest = rest.subarray(at);
  }
  if (isFirst || rest.length > 0) throw malformed("is truncated");
}

function sizeAt(bytes: Buffer, at: number): number | undefined {
  if (bytes.length - at < headBytes) return undefined;
  const keyBytes = bytes.readUInt32LE(at);
  const valueBytes = bytes.readUInt32LE(at + 4);
  // Checked before so many bytes are awaited.
  const { maxKeyBytes, maxValueBytes } = cacheLimits;
  if (keyBytes > maxKeyBytes || valueBytes > maxValueBytes)
    throw malformed("has an entry that is too large");
  return headBytes + keyBytes + valueBytes;
}

function recordAt(bytes: Buffer, at: number): CacheRecord {
  const keyStart = at + headBytes;
  const valueStart = keyStart + bytes.readUInt32LE(at);
  const valueEnd = valueStart + bytes.readUInt32LE(at + 4);
  const expiresAtMs = bytes.readDoubleLE(at + 8);
  if (!Number.isSafeInteger(expiresAtMs) || expiresAtMs < 0)
    throw malformed("has an entry with an invalid time");
  return {
    key: bytes.toString("utf8", keyStart, valueStart),
    value: bytes.toString("utf8", valueStart, valueEnd),
    expiresAtMs,
  };
}

function malformed(what: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", `the snapshot of a cache ${what}`);
}
