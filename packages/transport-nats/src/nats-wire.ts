import { ParsecError } from "@parsec/core";

/*
 * What travels as the payload of a NATS message, little-endian. No NATS headers: a server's own 503
 * is the only message that has some.
 *
 * message   u8 0x4e "N", u8 version, u8 kind, u8 flags, u32 piece, f64 session, [stamp], body
 * stamp     f64 ms since 1970, f64 number, 32 bytes MAC; there when the signed flag is set
 *
 * ask       a piece of a request frame; of several, the first begins with u32 bytes in all
 * answer    a piece of the answers to it; may ask for a `more`
 * refusal   UTF-8: error code, line feed, message; instead of answers
 * more      f64 bytes of answers that the asker has taken; the reply subject says to which question
 * cancel    nothing: the answer to the question with this reply subject is not awaited any more
 * ping      any number of f64: questions of this session whose answers are awaited
 * pong      any number of f64: those of them that this node knows nothing of
 *
 * `session` is a random integer below 2^53 that names the sending node since its start.
 */

const magic = 0x4e;
const version = 1;
export const headBytes = 16;
export const macBytes = 32;
export const stampBytes: number = 16 + macBytes;
/** Before the first piece of several. */
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
  /** Whether the sender waits to hear that it was taken before it goes on. Defaults to false. */
  readonly wantsMore?: boolean;
}

/** A message as it was received. Views of its bytes, not believed yet. */
export interface Message extends MessageHead {
  readonly session: number;
  readonly bytes: Buffer;
  readonly signed: boolean;
  readonly body: Buffer;
}

/** Begins the messages of one session. */
export class MessageWriter {
  readonly #offset: number;
  /** The head with all that is the same in each. */
  readonly #head: Buffer = Buffer.alloc(headBytes);

  constructor(options: { readonly session: number; readonly signed: boolean }) {
    this.#offset = bodyOffset(options.signed);
    this.#head[0] = magic;
    this.#head[1] = version;
    this.#head[3] = options.signed ? signedFlag : 0;
    this.#head.writeDoubleLE(options.session, 8);
  }

  /** Makes room for a message and writes its head; the body starts at {@link bodyOffset}. */
  begin(head: MessageHead, bodyBytes: number): Buffer {
    const bytes = Buffer.allocUnsafe(this.#offset + bodyBytes);
    const template = this.#head;
    // Byte by byte: for so few, any of Buffer's methods costs more than all of this.
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
    throw malformed("these bytes are no message of a Parsec node");
  }
  if (bytes[1] !== version) {
    throw malformed(`the message has version ${bytes[1]}, this node reads version ${version}`);
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
    throw malformed("the session is no whole number from 1 to 2^53");
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

/** The bytes of a list of whole numbers, such as those of questions. */
export function writeNumbers(values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * 8);
  for (const [index, value] of values.entries()) bytes.writeDoubleLE(value, index * 8);
  return bytes;
}

/** Reads them back. Throws `MALFORMED_FRAME`, or `FRAME_TOO_LARGE` when there are more than `maxCount`. */
export function readNumbers(bytes: Buffer, maxCount: number): number[] {
  if (bytes.length % 8 !== 0) throw malformed("a list of numbers ends inside one");
  if (bytes.length / 8 > maxCount) {
    throw new ParsecError("FRAME_TOO_LARGE", `a list has more than ${maxCount} numbers`);
  }
  const values: number[] = [];
  for (let offset = 0; offset < bytes.length; offset += 8) {
    const value = bytes.readDoubleLE(offset);
    if (!(Number.isSafeInteger(value) && value >= 0)) throw malformed("a number is not whole");
    values.push(value);
  }
  return values;
}

export function malformed(message: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", message);
}
