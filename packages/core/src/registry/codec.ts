/** Turns data into the bytes that are cached and travel, and back. Both may throw; that is `CODEC_FAILED`. */
export interface Codec<Data> {
  encode(data: Data): Uint8Array;
  /** `bytes` is a view that is reused: copy what outlives the call. Must return new data each time. */
  decode(bytes: Uint8Array): Data;
}

/** The default: JSON in UTF-8. Dates become strings and undefined fields vanish, on every node alike. */
export function jsonCodec<Data>(): Codec<Data> {
  return {
    encode(data) {
      const text: string | undefined = JSON.stringify(data);
      if (text === undefined) throw new TypeError(`JSON has no form for a ${typeof data}`);
      return Buffer.from(text, "utf8");
    },
    decode(bytes) {
      return JSON.parse(asBuffer(bytes).toString("utf8")) as Data;
    },
  };
}

/** For sources whose data are bytes already. Every caller gets a copy of its own. */
export const bytesCodec: Codec<Uint8Array> = {
  encode: (data) => data,
  decode: (bytes) => Uint8Array.prototype.slice.call(bytes),
};

/** For sources whose data are text. */
export const textCodec: Codec<string> = {
  encode: (data) => Buffer.from(data, "utf8"),
  decode: (bytes) => asBuffer(bytes).toString("utf8"),
};

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
