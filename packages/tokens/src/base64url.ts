/**
 * Whether a text is the only base64url encoding of its bytes (RFC 7515 §2): no padding, white space or
 * foreign character, and unused trailing bits are zero. Lenient decoders accept other texts for the same
 * bytes, so that one token would have several spellings.
 */
export function isCanonicalBase64url(text: string): boolean {
  return Buffer.from(text, "base64url").toString("base64url") === text;
}
