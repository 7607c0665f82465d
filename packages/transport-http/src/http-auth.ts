import {
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import { ReplayGuard } from "@parsec/core";

/*
 * Authorization: Parsec-HMAC-SHA256 <ms since 1970>.<session>.<number>.<mac>
 *
 * The MAC covers all of that, who it is for, method, raw target and body. A session is one asker's
 * way to one node; its requests are numbered from 1.
 */
export const authScheme = "Parsec-HMAC-SHA256";

const header = /^Parsec-HMAC-SHA256 (\d{1,15})\.([0-9a-f]{16})\.(\d{1,15})\.([A-Za-z0-9_-]{43})$/;

/** The parts of a request that its signature vouches for. */
export interface SignedParts {
  readonly method: string;
  /** The request target as it stands in the request line. */
  readonly target: string;
  readonly body: Uint8Array | undefined;
}

interface Stamp {
  readonly timestamp: number;
  readonly session: string;
  readonly number: number;
}

/** A claim from a header, not believed yet. */
export interface SignatureClaim extends Stamp {
  readonly mac: Buffer;
}

export function toKey(secret: string): KeyObject {
  return createSecretKey(secret, "utf8");
}

function macOf(key: KeyObject, receiver: string, signed: Stamp & SignedParts): Buffer {
  const { timestamp, session, number, method, target, body } = signed;
  const hmac = createHmac("sha256", key);
  hmac.update(`${authScheme}\n${timestamp}\n${session}\n${number}\n${receiver}\n`);
  hmac.update(`${method}\n${target}\n`, "latin1");
  if (body !== undefined) hmac.update(body);
  return hmac.digest();
}

/** Signs requests to one node. */
export class RequestSigner {
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

  /** The value of the `authorization` header. Good for one sending: sign again to repeat the request. */
  sign(parts: SignedParts): string {
    const timestamp = Math.floor(this.#wallNow());
    const session = this.#session;
    const number = ++this.#number;
    const mac = macOf(this.#key, this.#receiver, { ...parts, timestamp, session, number });
    return `${authScheme} ${timestamp}.${session}.${number}.${mac.toString("base64url")}`;
  }
}

/** Believes a signature made with any of the keys, for this node, not long ago, and only once. */
export class SignatureVerifier {
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

  /** Reads a header before the body is there. Undefined for one that cannot be right whatever follows. */
  claim(authorization: string | undefined): SignatureClaim | undefined {
    const match = header.exec(authorization ?? "");
    if (match === null) return undefined;
    const timestamp = Number(match[1]);
    if (Math.abs(this.#wallNow() - timestamp) > this.#windowMs) return undefined;
    const mac = Buffer.from(match[4] as string, "base64url");
    return { timestamp, session: match[2] as string, number: Number(match[3]), mac };
  }

  /** Whether the claim holds for this request, and for the first time. */
  verify(claim: SignatureClaim, parts: SignedParts): boolean {
    const signed = { ...parts, ...claim };
    const receiver = this.#receiver;
    const genuine = this.#keys.some((key) =>
      timingSafeEqual(macOf(key, receiver, signed), claim.mac),
    );
    const { session, number, timestamp: signedAt } = claim;
    return genuine && this.#replays.accept({ session, number, signedAt, now: this.#wallNow() });
  }
}
