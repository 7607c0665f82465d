import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { createSignatureCheck, createStamper, type Stamp } from "@parsec/core/transport";

/*
 * Authorization: Parsec-HMAC-SHA256 <ms since 1970>.<session>.<number>.<mac>
 *
 * The MAC covers the time, session and number, the receiver's id, the method, the raw target and the
 * body. A session is one client's signer for one receiver; its requests are numbered from 1.
 */
export const authScheme = "Parsec-HMAC-SHA256";

const header = /^Parsec-HMAC-SHA256 (\d{1,15})\.([0-9a-f]{16})\.(\d{1,15})\.([A-Za-z0-9_-]{43})$/;

/** The parts of a request that its signature covers. */
export interface SignedParts {
  readonly method: string;
  /** The raw request target, as in the request line. */
  readonly target: string;
  readonly body: Uint8Array | undefined;
}

/** A parsed signature that has not been verified yet. */
export interface SignatureClaim extends Stamp {
  readonly mac: Buffer;
}

function toKey(secret: string): KeyObject {
  return createSecretKey(secret, "utf8");
}

function macOf(key: KeyObject, receiver: string, signed: Stamp & SignedParts): Buffer {
  const { signedAt, session, number, method, target, body } = signed;
  const hmac = createHmac("sha256", key);
  hmac.update(`${authScheme}\n${signedAt}\n${session}\n${number}\n${receiver}\n`);
  hmac.update(`${method}\n${target}\n`, "latin1");
  if (body !== undefined) hmac.update(body);
  return hmac.digest();
}

/** Signs requests to one node. Returns the value of the `authorization` header, which is valid for one request. */
export type RequestSigner = (parts: SignedParts) => string;

export function createRequestSigner(options: {
  readonly secret: string;
  readonly receiver: string;
  readonly wallNow: () => number;
}): RequestSigner {
  const { receiver, wallNow } = options;
  const key = toKey(options.secret);
  const nextStamp = createStamper(wallNow);
  return (parts) => {
    const stamp = nextStamp();
    const mac = macOf(key, receiver, { ...parts, ...stamp }).toString("base64url");
    return `${authScheme} ${stamp.signedAt}.${stamp.session}.${stamp.number}.${mac}`;
  };
}

/** Accepts a signature made with any of the secrets, for this node, within the time window, and only once. */
export interface SignatureVerifier {
  /** Parses the header before the body has arrived. Undefined when the signature is malformed or expired. */
  claim(authorization: string | undefined): SignatureClaim | undefined;
  /** Whether the signature is valid for this request and has not been used before. */
  verify(claim: SignatureClaim, parts: SignedParts): boolean;
}

export function createSignatureVerifier(options: {
  readonly secrets: readonly string[];
  readonly receiver: string;
  readonly windowMs: number;
  readonly wallNow: () => number;
}): SignatureVerifier {
  const { receiver, secrets, windowMs, wallNow } = options;
  const check = createSignatureCheck({ keys: secrets.map(toKey), windowMs, wallNow });
  return {
    claim(authorization) {
      const match = header.exec(authorization ?? "");
      if (match === null) return undefined;
      const [, signedAt, session, number, mac] = match as unknown as readonly string[];
      if (!check.isRecent(Number(signedAt))) return undefined;
      return {
        signedAt: Number(signedAt),
        session: session as string,
        number: Number(number),
        mac: Buffer.from(mac as string, "base64url"),
      };
    },
    verify(claim, parts) {
      const macWith = (key: KeyObject): Buffer => macOf(key, receiver, { ...parts, ...claim });
      return check.keyOf(claim.mac, macWith) !== undefined && check.isFirst(claim);
    },
  };
}
