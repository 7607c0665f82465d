import { ParsecError } from "@parsec/core";
import type { CacheRecord } from "./cache-entry.ts";
import { cacheLimits } from "./cache-limits.ts";

const version = 1;
const versionBytes = 1;
/** Lengths of key and value, and when it expires. */
const headBytes = 4 + 4 + 8;
const chunkBytes = 64 * 1024;

/** Puts entries into chunks; `decodeSnapshot` takes them out again, wherever the chunks are cut. */
export function* encodeSnapshot(records: Iterable<CacheRecord>): Generator<Uint8Array> {
  let chunk = Buffer.allocUnsafe(chunkBytes);
  let length = chunk.writeUInt8(version, 0);
  for (const { key, value, expiresAtMs } of records) {
    const keyBytes = Buffer.byteLength(key);
    const valueBytes = Buffer.byteLength(value);
    const bytes = headBytes + keyBytes + valueBytes;
    if (length + bytes > chunk.length) {
      if (length > 0) yield chunk.subarray(0, length);
      // Another one: whoever got the last one may still hold it.
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

/** Throws `MALFORMED_FRAME` when the bytes are no snapshot, or end within an entry. */
export async function* decodeSnapshot(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<CacheRecord> {
  let rest: Buffer = Buffer.alloc(0);
  let isFirst = true;
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let at = 0;
    if (isFirst && rest.length > 0) {
      if (rest.readUInt8(0) !== version) throw malformed("of another version");
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
  if (isFirst || rest.length > 0) throw malformed("cut short");
}

function sizeAt(bytes: Buffer, at: number): number | undefined {
  if (bytes.length - at < headBytes) return undefined;
  const keyBytes = bytes.readUInt32LE(at);
  const valueBytes = bytes.readUInt32LE(at + 4);
  // Before anything waits for so many bytes.
  const { maxKeyBytes, maxValueBytes } = cacheLimits;
  if (keyBytes > maxKeyBytes || valueBytes > maxValueBytes)
    throw malformed("with an entry too large");
  return headBytes + keyBytes + valueBytes;
}

function recordAt(bytes: Buffer, at: number): CacheRecord {
  const keyStart = at + headBytes;
  const valueStart = keyStart + bytes.readUInt32LE(at);
  const valueEnd = valueStart + bytes.readUInt32LE(at + 4);
  const expiresAtMs = bytes.readDoubleLE(at + 8);
  if (!Number.isSafeInteger(expiresAtMs) || expiresAtMs < 0) throw malformed("with a wrong time");
  return {
    key: bytes.toString("utf8", keyStart, valueStart),
    value: bytes.toString("utf8", valueStart, valueEnd),
    expiresAtMs,
  };
}

function malformed(what: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", `a snapshot of a cache ${what}`);
}
