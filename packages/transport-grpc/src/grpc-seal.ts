import type { SignedCall } from "./grpc-auth.ts";
import { macBytes, StreamMac } from "./grpc-stream-mac.ts";

/** Bytes that a seal adds to a message. */
export const sealBytes: number = macBytes;

/**
 * Authenticates the messages of one side of a stream when there is a secret. Each message ends with a
 * MAC over its sequence number and content, by a key for this stream and direction, so that messages
 * cannot be altered, dropped, repeated, reordered or inserted.
 */
export class StreamSeal {
  readonly #outgoing: StreamMac;
  readonly #incoming: StreamMac;

  constructor(call: SignedCall, side: "client" | "owner") {
    const questions = new StreamMac(call.deriveKey("questions"));
    const answers = new StreamMac(call.deriveKey("answers"));
    this.#outgoing = side === "client" ? questions : answers;
    this.#incoming = side === "client" ? answers : questions;
  }

  /** Appends the MAC. Messages must be sent in the order of the calls. */
  seal(message: Buffer): Buffer {
    return this.#outgoing.append(message);
  }

  /** Verifies and removes the MAC; undefined when it is not the next message of the other side. */
  open(sealed: Buffer): Buffer | undefined {
    if (sealed.length < sealBytes) return undefined;
    const message = sealed.subarray(0, sealed.length - sealBytes);
    return this.#incoming.verify(message, sealed.subarray(message.length)) ? message : undefined;
  }
}
