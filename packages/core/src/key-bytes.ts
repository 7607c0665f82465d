/*
 * Keys are strings in the API and bytes on the wire. Valid UTF-8 is decoded as usual; any other byte b
 * becomes the lone surrogate U+DC00 + b, which no valid text contains, and is encoded as that byte again.
 * This is the scheme of PEP 383: every key of a Go peer, which may be any bytes, has exactly one string.
 */

const escapeBase = 0xdc00;
const replacement = "\ufffd";
const loneSurrogate = /\p{Surrogate}/u;
const markedTag = /[\p{Surrogate}\ufffd]/u;
const markedCharacters = /[\p{Surrogate}\ufffd]/gu;

/** The bytes of a key on the wire, as Go's groupcache hashes them. See {@link keyFromBytes}. */
export function keyToBytes(key: string): Uint8Array {
  if (!loneSurrogate.test(key)) return Buffer.from(key, "utf8");
  const bytes: number[] = [];
  for (const character of key) {
    const code = character.codePointAt(0) as number;
    if (code >= escapeBase + 0x80 && code <= escapeBase + 0xff) bytes.push(code - escapeBase);
    else bytes.push(...Buffer.from(character, "utf8"));
  }
  return Uint8Array.from(bytes);
}

/** The key for bytes from the wire; the inverse of {@link keyToBytes}. Bytes that are not valid UTF-8 become lone surrogates. */
export function keyFromBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  return text.includes(replacement) ? decodeExactly(buffer) : text;
}

/**
 * The canonical form of a key: the string that a peer decodes from its bytes. Differs from the key only
 * for strings with lone surrogates, such as half an emoji, which the API refuses: as bytes they are another key.
 */
export function canonicalKey(key: string): string {
  return loneSurrogate.test(key) ? keyFromBytes(keyToBytes(key)) : key;
}

/**
 * A tag in a form that is distinct on the wire: lone surrogates, and the replacement character that marks them,
 * are written as their code.
 */
export function wireTag(tag: string): string {
  return markedTag.test(tag)
    ? tag.replace(
        markedCharacters,
        (character) => `${replacement}${character.charCodeAt(0).toString(16)}`,
      )
    : tag;
}

function decodeExactly(buffer: Buffer): string {
  let text = "";
  for (let index = 0; index < buffer.length; ) {
    const length = validSequence(buffer, index);
    if (length === 0) {
      text += String.fromCharCode(escapeBase + (buffer[index] as number));
      index += 1;
    } else {
      text += buffer.toString("utf8", index, index + length);
      index += length;
    }
  }
  return text;
}

/** Length of the valid UTF-8 sequence that starts at `index`, 0 when there is none (RFC 3629, section 4). */
function validSequence(buffer: Buffer, index: number): number {
  const lead = buffer[index] as number;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (length === 0 || lead > 0xf4 || index + length > buffer.length) return 0;
  for (let at = index + 1; at < index + length; at++) {
    if (((buffer[at] as number) & 0xc0) !== 0x80) return 0;
  }
  const second = buffer[index + 1] as number;
  const overlong = (lead === 0xe0 && second < 0xa0) || (lead === 0xf0 && second < 0x90);
  const surrogate = lead === 0xed && second > 0x9f;
  const tooLarge = lead === 0xf4 && second > 0x8f;
  return overlong || surrogate || tooLarge ? 0 : length;
}
