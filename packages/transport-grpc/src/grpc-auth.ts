import { createHmac, timingSafeEqual } from "node:crypto";
import { authScheme, type SignedRequest } from "@parsec/core/transport";

/*
 * A call is signed as described in core's request-signatures.ts: its head is the path, its body the message of
 * a unary call, or nothing for a stream. The response to a unary call is authenticated by a MAC in the metadata
 * `parsec-mac`. Each message on a stream ends with its own MAC.
 */
export const authorizationKey = "authorization";
export const answerMacKey = "parsec-mac";

/** A signed call, on either side. Derives the keys that authenticate its responses and messages. */
export class SignedCall {
  readonly #request: SignedRequest;

  constructor(request: SignedRequest) {
    this.#request = request;
  }

  /** The value of the `authorization` metadata. */
  get authorization(): string {
    return this.#request.authorization;
  }

  /** Derives a key for this call and one purpose, such as a direction. */
  deriveKey(purpose: string): Buffer {
    const { secret, authorization } = this.#request;
    const derived = createHmac("sha256", secret);
    return derived.update(`${authScheme} ${purpose}\n${authorization}`).digest();
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
