import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { ReplayGuard } from "@parsec/core";
import { headBytes, type Message, macBytes, stampBytes } from "./nats-wire.ts";

/** Where a message goes, and where it wants its answer. Both are part of what is signed. */
export interface Addressed {
  readonly subject: string;
  /** Empty when no answer is wanted. */
  readonly reply: string;
}

const timestampAt = headBytes;
const numberAt = headBytes + 8;
const macAt = headBytes + 16;
const bodyAt: number = headBytes + stampBytes;

export function toKey(secret: string): KeyObject {
  return createSecretKey(secret, "utf8");
}

/** Covers the whole message but the MAC itself, and its two subjects. */
function macOf(key: KeyObject, bytes: Buffer, addressed: Addressed): Buffer {
  const hmac = createHmac("sha256", key);
  hmac.update(`${addressed.subject}\n${addressed.reply}\n`);
  hmac.update(bytes.subarray(0, macAt));
  hmac.update(bytes.subarray(bodyAt));
  return hmac.digest();
}

/** Signs what one node sends to another, numbering it. */
export class MessageSigner {
  readonly #key: KeyObject;
  readonly #wallNow: () => number;
  #number = 0;

  constructor(options: { readonly key: KeyObject; readonly wallNow: () => number }) {
    this.#key = options.key;
    this.#wallNow = options.wallNow;
  }

  /** Fills the stamp of a message that is otherwise complete. Good for one sending. */
  sign(bytes: Buffer, addressed: Addressed): void {
    bytes.writeDoubleLE(Math.floor(this.#wallNow()), timestampAt);
    bytes.writeDoubleLE(++this.#number, numberAt);
    macOf(this.#key, bytes, addressed).copy(bytes, macAt);
  }
}

/** Believes messages signed with any of the keys. */
export class MessageVerifier {
  readonly #keys: readonly KeyObject[];
  readonly #windowMs: number;
  readonly #wallNow: () => number;
  readonly #replays: ReplayGuard<number>;

  constructor(options: {
    readonly keys: readonly KeyObject[];
    readonly windowMs: number;
    readonly wallNow: () => number;
  }) {
    this.#keys = options.keys;
    this.#windowMs = options.windowMs;
    this.#wallNow = options.wallNow;
    this.#replays = new ReplayGuard(options);
  }

  /**
   * Whether somebody who knows a key made this message, for this subject. Enough for answers: each
   * question has a reply subject of its own, and each of its pieces counts once.
   */
  isGenuine(message: Message, addressed: Addressed): boolean {
    if (!message.signed) return false;
    const mac = message.bytes.subarray(macAt, macAt + macBytes);
    return this.#keys.some((key) => timingSafeEqual(macOf(key, message.bytes, addressed), mac));
  }

  /** Whether a genuine message was made not long ago, and is seen for the first time. */
  isFresh(message: Message): boolean {
    const timestamp = message.bytes.readDoubleLE(timestampAt);
    const number = message.bytes.readDoubleLE(numberAt);
    const now = this.#wallNow();
    if (!(Math.abs(now - timestamp) <= this.#windowMs)) return false;
    if (!(Number.isSafeInteger(number) && number > 0)) return false;
    return this.#replays.accept({
      session: message.session,
      number,
      signedAt: timestamp,
      now,
    });
  }
}
