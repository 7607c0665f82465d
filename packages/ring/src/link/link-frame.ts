import { ParsecError } from "@parsec/core";

/*
 * One message carries many items from one sender to one receiver:
 *
 * message:  u16 length | sender's address | items
 * item:     u8 type | u32 number | u32 length | bytes
 * piece:    an item whose bytes begin with u32 offset | u32 total
 *
 * Requests are numbered by their sender; an answer carries the number of its request.
 */

export type ItemType = "request" | "answer" | "request-piece" | "answer-piece";

const types: readonly ItemType[] = ["request", "answer", "request-piece", "answer-piece"];

export interface LinkItem {
  readonly type: ItemType;
  readonly number: number;
  readonly bytes: Uint8Array;
}

const itemHeadBytes = 9;
const pieceHeadBytes = 8;
const maxAddressBytes = 1024;

/** Packs items into messages of at most `maxBytes`, splitting items that do not fit into one. */
export function packItems(
  from: string,
  options: { readonly items: readonly LinkItem[]; readonly maxBytes: number },
): { readonly bytes: Uint8Array; readonly items: readonly LinkItem[] }[] {
  const sender = Buffer.from(from);
  const room = options.maxBytes - 2 - sender.length;
  const messages: { bytes: Uint8Array; items: LinkItem[] }[] = [];
  let open: LinkItem[] = [];
  let openBytes = 0;
  const flush = (): void => {
    if (open.length > 0)
      messages.push({ bytes: packMessage(sender, open, openBytes), items: open });
    open = [];
    openBytes = 0;
  };
  for (const item of options.items.flatMap((each) => cut(each, room))) {
    const bytes = itemHeadBytes + item.bytes.length;
    if (openBytes + bytes > room) flush();
    open.push(item);
    openBytes += bytes;
  }
  flush();
  return messages;
}

/** Unpacks a message. The bytes are views of it. Throws `MALFORMED_FRAME`. */
export function unpackItems(message: Uint8Array): {
  readonly from: string;
  readonly items: readonly LinkItem[];
} {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
  const fail = (what: string): never => {
    throw new ParsecError("MALFORMED_FRAME", `malformed message from a node: ${what}`);
  };
  if (bytes.length < 2) fail("it is too short");
  const senderBytes = bytes.readUInt16LE(0);
  let at = 2 + senderBytes;
  if (senderBytes > maxAddressBytes || at > bytes.length) fail("the sender is cut off");
  const from = bytes.toString("utf8", 2, at);
  const items: LinkItem[] = [];
  while (at < bytes.length) {
    if (at + itemHeadBytes > bytes.length) fail("an item is cut off");
    const type = types[bytes.readUInt8(at)] ?? fail("unknown item type");
    const number = bytes.readUInt32LE(at + 1);
    const end = at + itemHeadBytes + bytes.readUInt32LE(at + 5);
    if (end > bytes.length) fail("an item is cut off");
    items.push({ type, number, bytes: bytes.subarray(at + itemHeadBytes, end) });
    at = end;
  }
  return { from, items };
}

export interface Piece {
  readonly offset: number;
  readonly total: number;
  readonly bytes: Uint8Array;
}

/** Reads the head of a piece. Throws `MALFORMED_FRAME`. */
export function readPiece({ bytes }: LinkItem): Piece {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.length < pieceHeadBytes) {
    throw new ParsecError("MALFORMED_FRAME", "a piece of a message is cut off");
  }
  const offset = view.readUInt32LE(0);
  const total = view.readUInt32LE(4);
  const rest = view.subarray(pieceHeadBytes);
  if (offset + rest.length > total) {
    throw new ParsecError("MALFORMED_FRAME", "a piece of a message lies outside the message");
  }
  return { offset, total, bytes: rest };
}

function cut(item: LinkItem, room: number): LinkItem[] {
  if (itemHeadBytes + item.bytes.length <= room) return [item];
  const size = room - itemHeadBytes - pieceHeadBytes;
  const total = item.bytes.length;
  const type = item.type === "request" ? "request-piece" : "answer-piece";
  const pieces: LinkItem[] = [];
  for (let offset = 0; offset < total; offset += size) {
    const part = item.bytes.subarray(offset, offset + size);
    const bytes = Buffer.allocUnsafe(pieceHeadBytes + part.length);
    bytes.writeUInt32LE(offset, 0);
    bytes.writeUInt32LE(total, 4);
    bytes.set(part, pieceHeadBytes);
    pieces.push({ type, number: item.number, bytes });
  }
  return pieces;
}

function packMessage(
  sender: Uint8Array,
  items: readonly LinkItem[],
  itemBytes: number,
): Uint8Array {
  const bytes = Buffer.allocUnsafe(2 + sender.length + itemBytes);
  bytes.writeUInt16LE(sender.length, 0);
  bytes.set(sender, 2);
  let at = 2 + sender.length;
  for (const { type, number, bytes: body } of items) {
    bytes.writeUInt8(types.indexOf(type), at);
    bytes.writeUInt32LE(number, at + 1);
    bytes.writeUInt32LE(body.length, at + 5);
    bytes.set(body, at + itemHeadBytes);
    at += itemHeadBytes + body.length;
  }
  return bytes;
}
