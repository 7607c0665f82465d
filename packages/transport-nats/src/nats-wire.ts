import { ParsecError } from "@parsec/core";

/*
 * The payload of NATS messages between nodes, little-endian. They have no NATS headers: only the server's own 503
 * reply has some.
 *
 * message   u8 0x4e "N", u8 version, u8 kind, u8 flags, u32 piece, f64 session, [stamp], body
 * stamp     f64 ms since 1970, f64 number, 32 bytes MAC; present when the signed flag is set
 *
 * ask       a piece of a request frame; the first of several begins with u32 total bytes
 * answer    a piece of the answers to it; may ask for a `more`
 * refusal   UTF-8: error code, line feed, message; instead of answers
 * more      f64 bytes of answers received so far; the reply subject identifies the request
 * cancel    empty: the request with this reply subject is cancelled
 * ping      any number of f64: requests of this session whose answers are awaited
 * pong      any number of f64: those of them that this node does not know
 *
 * `session` is a random integer below 2^53 that identifies the process of the sending node.
 */

const magic = 0x4e;
const version = 1;
export const headBytes = 16;
export const macBytes = 32;
export const stampBytes: number = 16 + macBytes;
/** Bytes of the total length before the first of several pieces. */
export const totalBytes = 4;

const lastFlag = 1;
const signedFlag = 2;
const wantsMoreFlag = 4;
const knownFlags = lastFlag | signedFlag | wantsMoreFlag;

const kinds = ["ask", "answer", "refusal", "more", "cancel", "ping", "pong"] as const;

export type MessageKind = (typeof kinds)[number];

const numbers: Readonly<Record<MessageKind, number>> = {
  ask: 1,
  answer: 2,
  refusal: 3,
  more: 4,
  cancel: 5,
  ping: 6,
  pong: 7,
};

export interface MessageHead {
  readonly kind: MessageKind;
  /** Counted from 0 in each direction of an exchange. */
  readonly piece: number;
  /** Whether it is the last piece. */
  readonly last: boolean;
  /** Whether the sender waits for a `more` message before it goes on. Defaults to false. */
  readonly wantsMore?: boolean;
}

/** A received message, not yet verified. Contains views of its bytes. */
export interface Message extends MessageHead {
  readonly session: number;
  readonly bytes: Buffer;
  readonly signed: boolean;
  readonly body: Buffer;
}

/** Writes the heads of the messages of one session. */
export class MessageWriter {
  readonly #offset: number;
  /** The constant part of each head. */
  readonly #head: Buffer = Buffer.alloc(headBytes);

  constructor(options: { readonly session: number; readonly signed: boolean }) {
    this.#offset = bodyOffset(options.signed);
    this.#head[0] = magic;
    this.#head[1] = version;
    this.#head[3] = options.signed ? signedFlag : 0;
    this.#head.writeDoubleLE(options.session, 8);
  }

  /** Allocates a message and writes its head; the body starts at {@link bodyOffset}. */
  begin(head: MessageHead, bodyBytes: number): Buffer {
    const bytes = Buffer.allocUnsafe(this.#offset + bodyBytes);
    const template = this.#head;
    // Byte by byte: for so few, a method of Buffer costs more than all of this.
    for (let index = 0; index < headBytes; index++) bytes[index] = template[index] as number;
    bytes[2] = numbers[head.kind];
    if (head.last) bytes[3] = (bytes[3] as number) | lastFlag;
    if (head.wantsMore === true) bytes[3] = (bytes[3] as number) | wantsMoreFlag;
    if (head.piece !== 0) bytes.writeUInt32LE(head.piece, 4);
    return bytes;
  }
}

export function bodyOffset(signed: boolean): number {
  return signed ? headBytes + stampBytes : headBytes;
}

/** Reads a message's head. Throws `MALFORMED_FRAME`. */
export function readMessage(data: Uint8Array): Message {
  const bytes = Buffer.isBuffer(data)
    ? data
    : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (bytes.length < headBytes || bytes[0] !== magic) {
    throw malformed("not a message of a Parsec node");
  }
  if (bytes[1] !== version) {
    throw malformed(`the message has version ${bytes[1]}; this node supports version ${version}`);
  }
  const kind = kinds[(bytes[2] as number) - 1];
  const flags = bytes[3] as number;
  if (kind === undefined) throw malformed(`unknown message kind ${bytes[2]}`);
  if ((flags & ~knownFlags) !== 0) throw malformed(`unknown message flags ${flags}`);
  const signed = (flags & signedFlag) !== 0;
  const start = bodyOffset(signed);
  if (bytes.length < start) throw malformed("the message ends inside its head");
  const session = bytes.readDoubleLE(8);
  if (!(Number.isSafeInteger(session) && session > 0)) {
    throw malformed("the session must be a whole number from 1 to 2^53");
  }
  return {
    kind,
    piece: bytes.readUInt32LE(4),
    last: (flags & lastFlag) !== 0,
    wantsMore: (flags & wantsMoreFlag) !== 0,
    session,
    bytes,
    signed,
    body: bytes.subarray(start),
  };
}

/** Encodes a list of whole numbers, such as those of requests. */
export function writeNumbers(values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * 8);
  for (const [index, value] of values.entries()) bytes.writeDoubleLE(value, index * 8);
  return bytes;
}

/** Decodes a list of whole numbers. Throws `MALFORMED_FRAME`, or `FRAME_TOO_LARGE` when there are more than `maxCount`. */
export function readNumbers(bytes: Buffer, maxCount: number): number[] {
  if (bytes.length % 8 !== 0) throw malformed("a list of numbers ends inside one");
  if (bytes.length / 8 > maxCount) {
    throw new ParsecError("FRAME_TOO_LARGE", `a list has more than ${maxCount} numbers`);
  }
  const values: number[] = [];
  for (let offset = 0; offset < bytes.length; offset += 8) {
    const value = bytes.readDoubleLE(offset);
    if (!(Number.isSafeInteger(value) && value >= 0))
      throw malformed("a number in a list is not a whole number");
    values.push(value);
  }
  return values;
}

export function malformed(message: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", message);
}
