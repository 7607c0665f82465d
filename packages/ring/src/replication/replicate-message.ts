import { FieldReader } from "../wire/field-reader.ts";
import { type RequestHead, writeHead } from "../wire/ring-message.ts";
import type { Position } from "./partition-state.ts";

/** Operations that follow `previous`, numbered consecutively; all of the request's partition epoch. */
export interface Delta {
  readonly previous: Position;
  readonly ops: readonly Uint8Array[];
}

/** The state of a node's own copy. */
export interface HeldCopy {
  readonly holds: boolean;
  readonly damagedAt: Position | undefined;
  readonly position: Position;
}

/** The position of a backup's copy, if it has one. */
export interface BackupPosition {
  readonly holds: boolean;
  /** Its stored data is damaged: it holds nothing, and had reached at least this position. */
  readonly isDamaged: boolean;
  readonly position: Position;
}

export function encodeDelta(head: RequestHead, delta: Delta): Uint8Array {
  const size = delta.ops.reduce((sum, op) => sum + op.length + 4, 0);
  const writer = writeHead(head, size).count(delta.previous.epoch).count(delta.previous.seq);
  writer.u32(delta.ops.length);
  for (const op of delta.ops) writer.bytes(op);
  return writer.finish();
}

export function decodeDelta(reader: FieldReader): Delta {
  const previous = { epoch: reader.count(), seq: reader.count() };
  const count = reader.u32();
  const ops: Uint8Array[] = [];
  // Each operation takes at least four bytes, which bounds a wrong count.
  for (let at = 0; at < count; at++) ops.push(reader.bytes(reader.left));
  reader.end();
  return { previous, ops };
}

const [holdsNothing, holdsCopy, holdsDamage] = [0, 1, 2];

/** Encodes the position of a copy. */
export function encodePosition({ holds, damagedAt, position: current }: HeldCopy): Uint8Array {
  const bytes = Buffer.allocUnsafe(17);
  const position = damagedAt ?? current;
  const kind = damagedAt === undefined ? holdsNothing : holdsDamage;
  bytes.writeUInt8(holds ? holdsCopy : kind, 0);
  bytes.writeDoubleLE(position.epoch, 1);
  bytes.writeDoubleLE(position.seq, 9);
  return bytes;
}

export function decodePosition(bytes: Uint8Array): BackupPosition {
  const reader = new FieldReader(bytes);
  const kind = reader.u8();
  const position = { epoch: reader.count(), seq: reader.count() };
  reader.end();
  return { holds: kind === holdsCopy, isDamaged: kind === holdsDamage, position };
}

/** A piece of a copy. The first one has index 0; `last` marks the last one. */
export interface CopyPiece {
  /** Identifies the copy, so that pieces of two copies do not mix. */
  readonly copy: number;
  readonly index: number;
  readonly last: boolean;
  /** Position of the whole copy. */
  readonly position: Position;
  readonly bytes: Uint8Array;
}

export function encodeCopyPiece(head: RequestHead, piece: CopyPiece): Uint8Array {
  return writeHead(head, piece.bytes.length + 64)
    .count(piece.copy)
    .u32(piece.index)
    .u8(piece.last ? 1 : 0)
    .count(piece.position.epoch)
    .count(piece.position.seq)
    .rest(piece.bytes)
    .finish();
}

export function decodeCopyPiece(reader: FieldReader): CopyPiece {
  return {
    copy: reader.count(),
    index: reader.u32(),
    last: reader.u8() === 1,
    position: { epoch: reader.count(), seq: reader.count() },
    bytes: reader.rest(),
  };
}
