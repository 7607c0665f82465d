import type { Socket } from "node:net";
import { ParsecError } from "../../errors.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";

/*
 * Messages between workers, on a stream of bytes: u32 length of what follows, u8 kind, u32 exchange, body.
 * The exchange number matches answers to requests of one connection.
 *
 * hello     body: name of the sender's socket; the first message of a connection
 * welcome   answer to hello: the sender is now notified of invalidations
 * leaving   the sender takes no more keys, but still needs invalidations
 * apart     both run for a while without knowing each other, and may have missed invalidations
 * request   a frame; answered by pieces and last, or by a refusal
 * share     f64 ticket and a frame of entries, one part of a hand-over to all workers; answered like request
 * ping      answered by last
 * cancel    the answer is not needed any more
 */
const kinds = [
  "hello",
  "welcome",
  "leaving",
  "request",
  "share",
  "ping",
  "cancel",
  "piece",
  "last",
  "refusal",
  "apart",
] as const;
const headBytes = 5;

export interface WorkerMessage {
  readonly kind: (typeof kinds)[number];
  readonly exchange: number;
  readonly body: NodeBuffer;
}

export const noBytes: NodeBuffer = Buffer.alloc(0);

/** Returns false when the other side should read before more is sent; `drain` follows once it has. */
export function writeMessage(socket: Socket, { kind, exchange, body }: WorkerMessage): boolean {
  const head = Buffer.allocUnsafe(4 + headBytes);
  head.writeUInt32LE(headBytes + body.length, 0);
  head.writeUInt8(kinds.indexOf(kind), 4);
  head.writeUInt32LE(exchange, 5);
  if (body.length === 0) return socket.write(head);
  socket.cork();
  socket.write(head);
  const hasRoom = socket.write(body);
  socket.uncork();
  return hasRoom;
}

/** Splits the bytes of one connection into messages. */
export class MessageReader {
  readonly #maxBodyBytes: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** Adds bytes and returns the messages that are complete. Throws `FRAME_TOO_LARGE` or `MALFORMED_FRAME`. */
  push(chunk: Buffer): WorkerMessage[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const messages: WorkerMessage[] = [];
    for (;;) {
      const length = this.#nextLength();
      if (length === undefined || this.#bytes < 4 + length) return messages;
      const bytes = this.#take(4 + length);
      const kind = kinds[bytes.readUInt8(4)];
      if (kind === undefined) throw new ParsecError("MALFORMED_FRAME", "unknown message kind");
      messages.push({ kind, exchange: bytes.readUInt32LE(5), body: bytes.subarray(9) });
    }
  }

  #nextLength(): number | undefined {
    if (this.#bytes < 4) return undefined;
    if ((this.#chunks[0] as Buffer).length < 4) {
      const bytes = this.#bytes;
      this.#chunks.unshift(this.#take(bytes));
      this.#bytes = bytes;
    }
    return this.#checked((this.#chunks[0] as Buffer).readUInt32LE(0));
  }

  #checked(length: number): number {
    if (length >= headBytes && length <= headBytes + this.#maxBodyBytes) return length;
    throw new ParsecError("FRAME_TOO_LARGE", `a message announces ${length} bytes`);
  }

  /** Removes and returns the first bytes. Copies only when they span chunks. */
  #take(length: number): Buffer {
    this.#bytes -= length;
    const [first] = this.#chunks as [Buffer];
    if (first.length > length) {
      this.#chunks[0] = first.subarray(length);
      return first.subarray(0, length);
    }
    if (first.length === length) {
      this.#chunks.shift();
      return first;
    }
    const bytes = Buffer.allocUnsafe(length);
    let at = 0;
    while (at < length) {
      const next = this.#chunks[0] as Buffer;
      const copied = next.copy(bytes, at, 0, length - at);
      at += copied;
      if (copied === next.length) this.#chunks.shift();
      else this.#chunks[0] = next.subarray(copied);
    }
    return bytes;
  }
}
