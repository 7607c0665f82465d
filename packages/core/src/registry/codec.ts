import { describe } from "../option-checks.ts";

/** Encodes data as the bytes that are cached and sent to peers, and decodes them. Errors it throws become `CODEC_FAILED`. */
export interface Codec<Data> {
  encode(data: Data): Uint8Array;
  /** `bytes` is a view of memory that is reused: copy bytes that outlive the call. Must return new data each time. */
  decode(bytes: Uint8Array): Data;
}

/**
 * The default codec: JSON in UTF-8. What JSON cannot express changes, on every node alike: dates become strings,
 * NaN and Infinity null, -0 becomes 0, Map and Set become empty objects, undefined fields are dropped. Other types need a codec.
 */
export function jsonCodec<Data>(): Codec<Data> {
  return {
    encode(data) {
      const text: string | undefined = JSON.stringify(data);
      if (text === undefined)
        throw new TypeError(`data must be serializable as JSON, got ${describe(data)}`);
      return Buffer.from(text, "utf8");
    },
    decode(bytes) {
      return JSON.parse(asBuffer(bytes).toString("utf8")) as Data;
    },
  };
}

/** Codec for data sources that return bytes. Every caller gets a copy of its own. */
export const bytesCodec: Codec<Uint8Array> = {
  encode: (data) => data,
  decode: (bytes) => Uint8Array.prototype.slice.call(bytes),
};

/** Codec for data sources that return strings, stored as UTF-8. */
export const textCodec: Codec<string> = {
  encode: (data) => Buffer.from(data, "utf8"),
  decode: (bytes) => asBuffer(bytes).toString("utf8"),
};

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
