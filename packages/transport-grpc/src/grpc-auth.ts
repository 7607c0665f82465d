import {
  createHash,
  createHmac,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
} from "node:crypto";
import { createSignatureCheck, createStamper, type Stamp } from "@parsec/core/transport";

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
type SignatureText = readonly [string, string, string, string, string, string];
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

interface SignedParts extends Stamp {
  readonly digest: string;
  readonly receiver: string;
  readonly path: string;
}

function toKey(secret: string): KeyObject {
  return createSecretKey(secret, "utf8");
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

/** Signs a call to one node by its path and message; a stream has no message. Good for one sending. */
export type CallSigner = (path: string, message?: Uint8Array) => SignedCall;

export function createCallSigner(options: {
  readonly secret: string;
  readonly receiver: string;
  readonly wallNow: () => number;
}): CallSigner {
  const { receiver, wallNow } = options;
  const key = toKey(options.secret);
  const nextStamp = createStamper(wallNow);
  return (path, message = noMessage) => {
    const stamp = nextStamp();
    const digest = digestOf(message);
    const mac = macOf(key, { ...stamp, digest, receiver, path }).toString("base64url");
    const { signedAt, session, number } = stamp;
    return new SignedCall(key, `${authScheme} ${signedAt}.${session}.${number}.${digest}.${mac}`);
  };
}

/** A call whose signature holds, with the digest that its message must have. */
export interface VerifiedCall {
  readonly signed: SignedCall;
  readonly digest: string;
}

/** Verifies a call by its path and authorization. Returns the call, or why it was refused. */
export type CallVerifier = (
  path: string,
  authorization: string | undefined,
) => VerifiedCall | string;

/** Accepts a signature made with any of the secrets, for this node, not long ago, and only once. */
export function createCallVerifier(options: {
  readonly secrets: readonly string[];
  readonly receiver: string;
  readonly windowMs: number;
  readonly wallNow: () => number;
}): CallVerifier {
  const { receiver, secrets, windowMs, wallNow } = options;
  const check = createSignatureCheck({ keys: secrets.map(toKey), windowMs, wallNow });
  return (path, authorization) => {
    if (authorization === undefined) return "the call is not signed";
    const match = header.exec(authorization);
    if (match === null) return "the signature has another form";
    const [, signedAt, session, number, digest, mac] = match as unknown as SignatureText;
    const stamp = { signedAt: Number(signedAt), session, number: Number(number) };
    if (!check.isRecent(stamp.signedAt)) {
      return "it was signed too long ago, or by a clock too far ahead";
    }
    const key = check.keyOf(Buffer.from(mac, "base64url"), (one) =>
      macOf(one, { ...stamp, digest, receiver, path }),
    );
    if (key === undefined) return "the signature does not hold";
    if (!check.isFirst(stamp)) return "the call came before";
    return { signed: new SignedCall(key, authorization), digest };
  };
}

/** Whether this is the message that was signed. */
export function isSignedMessage(call: VerifiedCall, message: Uint8Array): boolean {
  return digestOf(message) === call.digest;
}
