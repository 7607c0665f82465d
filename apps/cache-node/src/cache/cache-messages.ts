import { ParsecError } from "@parsec/core";

/* What nodes say to each other about one key: the key itself travels beside it. */

export interface SetRequest {
  readonly value: string;
  /** 0 for no expiry. */
  readonly ttlSeconds: number;
}

/** The answer of the owner of a key. */
export interface NodeAnswer {
  readonly node: string;
  /** Whether there was a value, which a get found or a delete removed. */
  readonly existed: boolean;
  /** The value that a get found. */
  readonly value: string;
}

export function encodeSetRequest({ value, ttlSeconds }: SetRequest): Uint8Array {
  const bytes = Buffer.allocUnsafe(8 + Buffer.byteLength(value));
  bytes.writeDoubleLE(ttlSeconds, 0);
  bytes.write(value, 8);
  return bytes;
}

/** Decodes a request. Throws `MALFORMED_FRAME`. */
export function decodeSetRequest(encoded: Uint8Array): SetRequest {
  const bytes = view(encoded);
  if (bytes.length < 8) throw malformed();
  const ttlSeconds = bytes.readDoubleLE(0);
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 0) throw malformed();
  return { ttlSeconds, value: bytes.toString("utf8", 8) };
}

export function encodeAnswer({ node, existed, value }: NodeAnswer): Uint8Array {
  const nodeBytes = Buffer.byteLength(node);
  const bytes = Buffer.allocUnsafe(3 + nodeBytes + Buffer.byteLength(value));
  bytes.writeUInt8(existed ? 1 : 0, 0);
  bytes.writeUInt16LE(nodeBytes, 1);
  bytes.write(node, 3);
  bytes.write(value, 3 + nodeBytes);
  return bytes;
}

/** Decodes an answer. Throws `MALFORMED_FRAME`. */
export function decodeAnswer(encoded: Uint8Array): NodeAnswer {
  const bytes = view(encoded);
  if (bytes.length < 3) throw malformed();
  const valueStart = 3 + bytes.readUInt16LE(1);
  if (valueStart > bytes.length) throw malformed();
  return {
    existed: bytes.readUInt8(0) === 1,
    node: bytes.toString("utf8", 3, valueStart),
    value: bytes.toString("utf8", valueStart),
  };
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function malformed(): ParsecError {
  return new ParsecError("MALFORMED_FRAME", "another node sent a malformed cache message");
}
