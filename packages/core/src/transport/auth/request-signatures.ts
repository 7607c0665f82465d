import { hash } from "node:crypto";
import { HmacKey } from "./hmac-key.ts";
import { createSignatureCheck, createStamper } from "./signatures.ts";

/*
 * authorization: Parsec-HMAC-SHA256 <ms since 1970>.<session>.<number>.<digest>.<mac>
 *
 * The digest is that of the body. The MAC covers the other four fields, the receiver's id and the head, such
 * as method and target, so that it is verified before a byte of the body is read. A session is one client's
 * signer for one receiver; its requests are numbered from 1.
 */

/** The scheme of the `authorization` header or metadata of a signed request. */
export const authScheme = "Parsec-HMAC-SHA256";

const header =
  /^Parsec-HMAC-SHA256 (\d{1,15})\.([0-9a-f]{16})\.(\d{1,15})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;
type HeaderFields = readonly [string, string, string, string, string, string];

/** The SHA-256 of no bytes. */
const emptyDigest = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

/** A signed request, on either side. */
export interface SignedRequest {
  /** The value of the `authorization` header. */
  readonly authorization: string;
  /** The secret it was signed with, for keys of its own that a transport derives. */
  readonly secret: string;
}

/** Signs a request to one node: its head, such as method and target, and its body. The result is valid for one request. */
export type RequestSigner = (head: string, body?: Uint8Array) => SignedRequest;

/** Creates the signer of requests to the node `receiver`. `wallNow` returns milliseconds since 1970. */
export function createRequestSigner(options: {
  readonly secret: string;
  readonly receiver: string;
  readonly wallNow: () => number;
}): RequestSigner {
  const { secret, receiver, wallNow } = options;
  const key = new HmacKey(secret);
  const nextStamp = createStamper(wallNow);
  return (head, body) => {
    const { signedAt, session, number } = nextStamp();
    const fields = `${signedAt}.${session}.${number}.${digestOf(body)}`;
    const mac = key.macOf(signedText(fields, { receiver, head })).toString("base64url");
    return { authorization: `${authScheme} ${fields}.${mac}`, secret };
  };
}

/** A request whose head has a valid signature. Its body must have this digest: see {@link isSignedBody}. */
export interface VerifiedRequest extends SignedRequest {
  readonly digest: string;
}

/** Verifies the head of a request before its body is read. Returns the reason for refusing it as a string. */
export type RequestVerifier = (
  head: string,
  authorization: string | undefined,
) => VerifiedRequest | string;

/** Creates a verifier that accepts requests signed with any of the secrets, for this node, within `windowMs`, and each once. */
export function createRequestVerifier(options: {
  readonly secrets: readonly string[];
  readonly receiver: string;
  readonly windowMs: number;
  readonly wallNow: () => number;
}): RequestVerifier {
  const { receiver, secrets, windowMs, wallNow } = options;
  const keys = secrets.map((secret) => ({ secret, hmac: new HmacKey(secret) }));
  const check = createSignatureCheck({ keys, windowMs, wallNow });
  return (head, authorization) => {
    if (authorization === undefined) return "signature is missing";
    const match = header.exec(authorization);
    if (match === null) return "signature is malformed";
    const [, signedAt, session, number, digest, mac] = match as unknown as HeaderFields;
    const stamp = { signedAt: Number(signedAt), session, number: Number(number) };
    if (!check.isRecent(stamp.signedAt)) {
      return "signature is expired, or the clocks differ by more than limits.maxClockSkewMs";
    }
    const text = signedText(authorization.slice(authScheme.length + 1, -44), { receiver, head });
    const key = check.keyOf(Buffer.from(mac, "base64url"), ({ hmac }) => hmac.macOf(text));
    if (key === undefined) return "signature is invalid";
    // From here on a copy of this head is refused, whatever body it comes with.
    if (!check.isFirst(stamp)) return "signature was already used";
    return { authorization, secret: key.secret, digest };
  };
}

/** Whether the body is the signed one. */
export function isSignedBody(request: VerifiedRequest, body?: Uint8Array): boolean {
  return digestOf(body) === request.digest;
}

function signedText(
  fields: string,
  { receiver, head }: { readonly receiver: string; readonly head: string },
): string {
  return `${authScheme}\n${fields}\n${receiver}\n${head}`;
}

function digestOf(body: Uint8Array | undefined): string {
  return body === undefined || body.length === 0 ? emptyDigest : hash("sha256", body, "base64url");
}
