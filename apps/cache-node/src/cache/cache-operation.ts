import { ParsecError } from "@parsec/core";

/**
 * An operation that the owner of a key and its backups apply. Contains all relevant times, read from the owner's
 * clock, so that all copies are equal.
 */
export type CacheOperation =
  | {
      readonly kind: "set";
      readonly key: string;
      readonly value: string;
      /** Unix time in ms; 0 for no expiry. */
      readonly expiresAtMs: number;
    }
  | {
      readonly kind: "delete";
      readonly key: string;
      /** An entry that had expired by then counts as absent. */
      readonly nowMs: number;
    };

/** Kind, time, length of the key. */
const headBytes = 1 + 8 + 4;
const kinds = { set: 1, delete: 2 } as const;

export function encodeOperation(operation: CacheOperation): Uint8Array {
  const isSet = operation.kind === "set";
  const keyBytes = Buffer.byteLength(operation.key);
  const valueBytes = isSet ? Buffer.byteLength(operation.value) : 0;
  const bytes = Buffer.allocUnsafe(headBytes + keyBytes + valueBytes);
  bytes.writeUInt8(kinds[operation.kind], 0);
  bytes.writeDoubleLE(isSet ? operation.expiresAtMs : operation.nowMs, 1);
  bytes.writeUInt32LE(keyBytes, 9);
  bytes.write(operation.key, headBytes);
  if (isSet) bytes.write(operation.value, headBytes + keyBytes);
  return bytes;
}

/** Decodes an operation. Throws `MALFORMED_FRAME`. */
export function decodeOperation(encoded: Uint8Array): CacheOperation {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
  if (bytes.length < headBytes) throw malformed("it is truncated");
  const kind = bytes.readUInt8(0);
  const timeMs = bytes.readDoubleLE(1);
  const keyEnd = headBytes + bytes.readUInt32LE(9);
  if (!Number.isSafeInteger(timeMs) || timeMs < 0) throw malformed("its time is not valid");
  if (keyEnd > bytes.length) throw malformed("it is truncated");
  const key = bytes.toString("utf8", headBytes, keyEnd);
  if (kind === kinds.set) {
    return { kind: "set", key, value: bytes.toString("utf8", keyEnd), expiresAtMs: timeMs };
  }
  if (kind !== kinds.delete) throw malformed(`unknown operation ${kind}`);
  if (keyEnd !== bytes.length) throw malformed("bytes follow its end");
  return { kind: "delete", key, nowMs: timeMs };
}

function malformed(reason: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", `malformed cache operation: ${reason}`);
}
