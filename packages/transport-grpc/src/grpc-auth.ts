import {
  createHash,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import { ReplayGuard } from "@parsec/core";

/*
 * authorization: Parsec-HMAC-SHA256 <ms since 1970>.<session>.<number>.<digest>.<mac>
 *
 * The digest is that of the message of a unary call; a stream has none before it begins. The MAC
 * covers all of it, whom the call is for and its path, so that it is checked before a message is
 * read. A session is one node's way to another; its calls are numbered from 1.
 *
 * The answer to a unary call carries in `parsec-mac` the proof that it comes from a node that knows
 * the secret, too. Messages on a stream carry theirs themselves.
 */
const authScheme = "Parsec-HMAC-SHA256";
export const authorizationKey = "authorization";
export const answerMacKey = "parsec-mac";

const header =
  /^Parsec-HMAC-SHA256 (\d{1,15})\.([0-9a-f]{16})\.(\d{1,15})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;
const noMessage: Buffer = Buffer.alloc(0);

/** A call that was signed, on either side: what proves the messages that belong to it. */
export class SignedCall {
  /** The value of the `authorization` metadata. */
  readonly authorization: string;
  readonly #key: KeyObject;

  constructor(key: KeyObject, authorization: string) {
    this.#key = key;
    this.authorization = authorization;
  }

  /** A key for one direction of this call alone. */
  deriveKey(purpose: string): Buffer {
    const derived = createHmac("sha256", this.#key);
    return derived.update(`${authScheme} ${purpose}\n${this.authorization}`).digest();
  }

  /** What the answer to a unary call carries in `parsec-mac`. */
  answerMac(answer: Uint8Array): string {
    return createHmac("sha256", this.deriveKey("answer")).update(answer).digest("base64url");
  }

  provesAnswer(mac: string | undefined, answer: Uint8Array): boolean {
    const expected = Buffer.from(this.answerMac(answer));
    const given = Buffer.from(mac ?? "");
    return expected.length === given.length && timingSafeEqual(expected, given);
  }
}

export function toKey(secret: string): KeyObject {
  return createSecretKey(secret, "utf8");
}

interface SignedParts {
  readonly signedAt: number;
  readonly session: string;
  readonly number: number;
  readonly digest: string;
  readonly receiver: string;
  readonly path: string;
}

function macOf(key: KeyObject, parts: SignedParts): Buffer {
  const { signedAt, session, number, digest, receiver, path } = parts;
  return createHmac("sha256", key)
    .update([authScheme, signedAt, session, number, digest, receiver, path].join("\n"))
    .digest();
}

function digestOf(message: Uint8Array): string {
  return createHash("sha256").update(message).digest("base64url");
}

/** Signs calls to one node. */
export class CallSigner {
  readonly #key: KeyObject;
  readonly #receiver: string;
  readonly #wallNow: () => number;
  readonly #session: string = randomBytes(8).toString("hex");
  #number = 0;

  constructor(options: {
    readonly key: KeyObject;
    readonly receiver: string;
    readonly wallNow: () => number;
  }) {
    this.#key = options.key;
    this.#receiver = options.receiver;
    this.#wallNow = options.wallNow;
  }

  /** Signs one call; a stream has no message. Good for one sending. */
  sign(path: string, message: Uint8Array = noMessage): SignedCall {
    const parts = {
      signedAt: Math.floor(this.#wallNow()),
      session: this.#session,
      number: ++this.#number,
      digest: digestOf(message),
      receiver: this.#receiver,
      path,
    };
    const mac = macOf(this.#key, parts).toString("base64url");
    const { signedAt, session, number, digest } = parts;
    return new SignedCall(
      this.#key,
      `${authScheme} ${signedAt}.${session}.${number}.${digest}.${mac}`,
    );
  }
}

/** A call whose signature holds, with the digest that its message must have. */
export interface VerifiedCall {
  readonly signed: SignedCall;
  readonly digest: string;
}

/** Believes a signature made with any of the keys, for this node, not long ago, and only once. */
export class CallVerifier {
  readonly #keys: readonly KeyObject[];
  readonly #receiver: string;
  readonly #windowMs: number;
  readonly #wallNow: () => number;
  readonly #replays: ReplayGuard;

  constructor(options: {
    readonly keys: readonly KeyObject[];
    readonly receiver: string;
    readonly windowMs: number;
    readonly wallNow: () => number;
  }) {
    this.#keys = options.keys;
    this.#receiver = options.receiver;
    this.#windowMs = options.windowMs;
    this.#wallNow = options.wallNow;
    this.#replays = new ReplayGuard(options);
  }

  /** The call, or why it is not believed. */
  verify(path: string, authorization: string | undefined): VerifiedCall | string {
    if (authorization === undefined) return "the call is not signed";
    const match = header.exec(authorization);
    if (match === null) return "the signature has another form";
    const [, signedAtText, session, numberText, digest, mac] =
      match as unknown as readonly string[];
    const signedAt = Number(signedAtText);
    const now = this.#wallNow();
    if (Math.abs(now - signedAt) > this.#windowMs) {
      return "it was signed too long ago, or by a clock too far ahead";
    }
    const number = Number(numberText);
    const receiver = this.#receiver;
    const parts = { signedAt, session, number, digest, receiver, path } as SignedParts;
    const given = Buffer.from(mac as string, "base64url");
    const key = this.#keys.find((one) => timingSafeEqual(macOf(one, parts), given));
    if (key === undefined) return "the signature does not hold";
    if (!this.#replays.accept({ session: parts.session, number, signedAt, now })) {
      return "the call came before";
    }
    return { signed: new SignedCall(key, authorization), digest: parts.digest };
  }
}

/** Whether this is the message that was signed. */
export function isSignedMessage(call: VerifiedCall, message: Uint8Array): boolean {
  return digestOf(message) === call.digest;
}
