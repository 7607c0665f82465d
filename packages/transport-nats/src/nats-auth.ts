import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { createSignatureCheck, type SignatureCheck } from "@parsec/core/transport";
import { headBytes, type Message, macBytes, stampBytes } from "./nats-wire.ts";

/** The subject and the reply subject of a message. The signature covers both. */
export interface Addressed {
  readonly subject: string;
  /** Empty when no answer is expected. */
  readonly reply: string;
}

const timestampAt = headBytes;
const numberAt = headBytes + 8;
const macAt = headBytes + 16;
const bodyAt: number = headBytes + stampBytes;

/** Makes the MAC key of a secret. */
export function toKey(secret: string): KeyObject {
  return createSecretKey(secret, "utf8");
}

/** Covers the whole message except the MAC, and its two subjects. */
function macOf(key: KeyObject, bytes: Buffer, addressed: Addressed): Buffer {
  const hmac = createHmac("sha256", key);
  hmac.update(`${addressed.subject}\n${addressed.reply}\n`);
  hmac.update(bytes.subarray(0, macAt));
  hmac.update(bytes.subarray(bodyAt));
  return hmac.digest();
}

/** Signs and numbers the messages of this node. */
export class MessageSigner {
  readonly #key: KeyObject;
  readonly #wallNow: () => number;
  #number = 0;

  constructor(options: { readonly secret: string; readonly wallNow: () => number }) {
    this.#key = toKey(options.secret);
    this.#wallNow = options.wallNow;
  }

  /** Fills the stamp of a message that is otherwise complete, for sending it once. */
  sign(bytes: Buffer, addressed: Addressed): void {
    bytes.writeDoubleLE(Math.floor(this.#wallNow()), timestampAt);
    bytes.writeDoubleLE(++this.#number, numberAt);
    macOf(this.#key, bytes, addressed).copy(bytes, macAt);
  }
}

/** Verifies messages signed with any of the secrets. */
export class MessageVerifier {
  readonly #check: SignatureCheck<KeyObject, number>;

  constructor(options: {
    readonly secrets: readonly string[];
    readonly windowMs: number;
    readonly wallNow: () => number;
  }) {
    const { secrets, windowMs, wallNow } = options;
    this.#check = createSignatureCheck({ keys: secrets.map(toKey), windowMs, wallNow });
  }

  /**
   * Whether this message was made with one of the secrets, for this subject. Enough for answers: each
   * request has a reply subject of its own, and each of its pieces counts once.
   */
  isGenuine(message: Message, addressed: Addressed): boolean {
    if (!message.signed) return false;
    const mac = message.bytes.subarray(macAt, macAt + macBytes);
    return this.#check.keyOf(mac, (key) => macOf(key, message.bytes, addressed)) !== undefined;
  }

  /** Whether a genuine message is recent, and not a replay. */
  isFresh(message: Message): boolean {
    const signedAt = message.bytes.readDoubleLE(timestampAt);
    const number = message.bytes.readDoubleLE(numberAt);
    if (!this.#check.isRecent(signedAt)) return false;
    if (!(Number.isSafeInteger(number) && number > 0)) return false;
    return this.#check.isFirst({ session: message.session, number, signedAt });
  }
}
