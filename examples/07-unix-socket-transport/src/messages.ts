import type { Socket } from "node:net";
import { ParsecError } from "@parsec/core";

/*
 * A Unix socket carries a stream of bytes, so each message begins with its length:
 *
 *   u32 length of what follows, u8 kind, u32 exchange, body
 *
 * The number of the exchange tells apart the requests that are under way on one connection.
 */

const kinds = ["request", "cancel", "ping", "piece", "last", "refusal"] as const;
const headBytes = 5;

export interface Message {
  /** The client sends the first three kinds, the server sends the others. */
  readonly kind: (typeof kinds)[number];
  readonly exchange: number;
  readonly body: Buffer;
}

export const noBytes: Buffer = Buffer.alloc(0);

/** Returns false when the other side should read before more is sent; `drain` follows once it has. */
export function writeMessage(socket: Socket, { kind, exchange, body }: Message): boolean {
  const head = Buffer.allocUnsafe(4 + headBytes);
  head.writeUInt32LE(headBytes + body.length, 0);
  head.writeUInt8(kinds.indexOf(kind), 4);
  head.writeUInt32LE(exchange, 5);
  socket.cork();
  socket.write(head);
  const hasRoom = socket.write(body);
  socket.uncork();
  return hasRoom;
}

/** The messages of a connection until it ends. Throws when it breaks, and for a message that is not valid. */
export async function* readMessages(socket: Socket, maxBodyBytes: number): AsyncGenerator<Message> {
  let rest = noBytes;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 4) {
      const length = rest.readUInt32LE();
      if (length < headBytes || length > headBytes + maxBodyBytes) {
        throw new ParsecError("FRAME_TOO_LARGE", `a message announces ${length} bytes`);
      }
      if (rest.length < 4 + length) break;
      const kind = kinds[rest.readUInt8(4)];
      if (kind === undefined) throw new ParsecError("MALFORMED_FRAME", "a message has no kind");
      yield { kind, exchange: rest.readUInt32LE(5), body: rest.subarray(9, 4 + length) };
      rest = rest.subarray(4 + length);
    }
  }
}
