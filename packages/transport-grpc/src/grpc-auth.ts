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
 * The digest is that of the message of a unary call, or of no bytes for a stream. The MAC covers the
 * other four fields, the receiver's id and the path, so that it can be verified before a message is
 * read. A session is one client's signer for one receiver; its calls are numbered from 1.
 *
 * The response to a unary call is authenticated by a MAC in the metadata `parsec-mac`. Each message on
 * a stream ends with its own MAC.
 */
const authScheme = "Parsec-HMAC-SHA256";
export const authorizationKey = "authorization";
export const answerMacKey = "parsec-mac";

const header =
  /^Parsec-HMAC-SHA256 (\d{1,15})\.([0-9a-f]{16})\.(\d{1,15})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;
type SignatureText = readonly [string, string, string, string, string, string];
const noMessage: Buffer = Buffer.alloc(0);

/** A signed call, on either side. Derives the keys that authenticate its responses and messages. */
export class SignedCall {
  /** The value of the `authorization` metadata. */
  readonly authorization: string;
  readonly #key: KeyObject;

  constructor(key: KeyObject, authorization: string) {
    this.#key = key;
    this.authorization = authorization;
  }

  /** Derives a key for this call and one purpose, such as a direction. */
  deriveKey(purpose: string): Buffer {
    const derived = createHmac("sha256", this.#key);
    return derived.update(`${authScheme} ${purpose}\n${this.authorization}`).digest();
  }

  /** The value of `parsec-mac` for the response to a unary call. */
  answerMac(answer: Uint8Array): string {
    return createHmac("sha256", this.deriveKey("answer")).update(answer).digest("base64url");
  }

  /** Whether `mac` is the value of `parsec-mac` for this response. */
  verifyAnswer(mac: string | undefined, answer: Uint8Array): boolean {
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

/** Signs a call to one node by its path and message; a stream has no message. The result is valid for one call. */
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

/** A call with a valid signature, and the digest that its message must have. */
export interface VerifiedCall {
  readonly signed: SignedCall;
  readonly digest: string;
}

/** Verifies a call by its path and authorization. Returns the call, or the reason for refusing it. */
export type CallVerifier = (
  path: string,
  authorization: string | undefined,
) => VerifiedCall | string;

/** Accepts a signature made with any of the secrets, for this node, within the time window, and only once. */
export function createCallVerifier(options: {
  readonly secrets: readonly string[];
  readonly receiver: string;
  readonly windowMs: number;
  readonly wallNow: () => number;
}): CallVerifier {
  const { receiver, secrets, windowMs, wallNow } = options;
  const check = createSignatureCheck({ keys: secrets.map(toKey), windowMs, wallNow });
  return (path, authorization) => {
    if (authorization === undefined) return "signature is missing";
    const match = header.exec(authorization);
    if (match === null) return "signature is malformed";
    const [, signedAt, session, number, digest, mac] = match as unknown as SignatureText;
    const stamp = { signedAt: Number(signedAt), session, number: Number(number) };
    if (!check.isRecent(stamp.signedAt)) {
      return "signature is expired, or the clocks differ by more than limits.maxClockSkewMs";
    }
    const key = check.keyOf(Buffer.from(mac, "base64url"), (one) =>
      macOf(one, { ...stamp, digest, receiver, path }),
    );
    if (key === undefined) return "signature is invalid";
    if (!check.isFirst(stamp)) return "signature was already used";
    return { signed: new SignedCall(key, authorization), digest };
  };
}

/** Whether `message` is the signed message of the call. */
export function isSignedMessage(call: VerifiedCall, message: Uint8Array): boolean {
  return digestOf(message) === call.digest;
}
