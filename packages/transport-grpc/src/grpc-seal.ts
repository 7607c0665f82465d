import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";
import type { SignedCall } from "./grpc-auth.ts";

/** What a sealed message is longer by. */
export const sealBytes = 16;

/**
 * Proves that the messages of a stream come from who opened it, in the order they were sent: each
 * ends in a MAC over its number and itself, by a key of this stream and direction alone.
 */
class StreamMac {
  readonly #key: KeyObject;
  readonly #counter: Buffer = Buffer.alloc(8);
  #next = 0;

  constructor(key: KeyObject) {
    this.#key = key;
  }

  next(message: Uint8Array): Buffer {
    this.#counter.writeDoubleBE(this.#next++);
    const mac = createHmac("sha256", this.#key).update(this.#counter).update(message).digest();
    return mac.subarray(0, sealBytes);
  }
}

/** One side's end of a stream, if there is a secret. */
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
    return Buffer.concat([message, this.#outgoing.next(message)]);
  }

  /** The message without its proof; undefined when it is not the one that was sent next. */
  open(sealed: Buffer): Buffer | undefined {
    if (sealed.length < sealBytes) return undefined;
    const message = sealed.subarray(0, sealed.length - sealBytes);
    const given = sealed.subarray(message.length);
    return timingSafeEqual(this.#incoming.next(message), given) ? message : undefined;
  }
}
