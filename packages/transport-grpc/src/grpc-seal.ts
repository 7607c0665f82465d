import type { SignedCall } from "./grpc-auth.ts";
import { macBytes, StreamMac } from "./grpc-stream-mac.ts";

/** What a sealed message is longer by. */
export const sealBytes: number = macBytes;

/**
 * One side's end of a stream, if there is a secret. Proves that the messages come from who opened it,
 * in the order they were sent: each ends in a MAC over its number and itself, by a key of this stream
 * and direction alone.
 */
export class StreamSeal {
  readonly #outgoing: StreamMac;
  readonly #incoming: StreamMac;

  constructor(call: SignedCall, side: "asker" | "owner") {
    const questions = new StreamMac(call.deriveKey("questions"));
    const answers = new StreamMac(call.deriveKey("answers"));
    this.#outgoing = side === "asker" ? questions : answers;
    this.#incoming = side === "asker" ? answers : questions;
  }

  /** The message with its proof, to be sent next. */
  seal(message: Buffer): Buffer {
    return this.#outgoing.append(message);
  }

  /** The message without its proof; undefined when it is not the one that was sent next. */
  open(sealed: Buffer): Buffer | undefined {
    if (sealed.length < sealBytes) return undefined;
    const message = sealed.subarray(0, sealed.length - sealBytes);
    return this.#incoming.verify(message, sealed.subarray(message.length)) ? message : undefined;
  }
}
