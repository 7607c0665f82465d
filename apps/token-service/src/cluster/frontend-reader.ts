import { ParsecError } from "@parsec/core";

/** A message from a Postgres client. Messages that need no handling are dropped. */
export type FrontendMessage =
  | { readonly kind: "encryption-request" | "cancel-request" | "terminate" }
  | { readonly kind: "startup"; readonly minorVersion: number }
  | {
      /** When the server answers: completely (Sync, simple query), so far (Flush), or not yet. */
      readonly kind: "sync" | "flush" | "execute" | "part";
      readonly bytes: Buffer;
    };

/** Splits the byte stream of one client into messages. */
export interface FrontendReader {
  push(chunk: Buffer): void;
  /**
   * The next message; undefined until it is complete. Throws `MALFORMED_FRAME` for an invalid message and
   * `FRAME_TOO_LARGE` as soon as the declared length exceeds the limit.
   */
  next(): FrontendMessage | undefined;
}

/** The limit of Postgres for startup packets. */
const maxStartupBytes = 10_000;
const sslRequest = 80_877_103;
const gssRequest = 80_877_104;
const cancelRequest = 80_877_102;

/** The supported message types. PGlite takes an unknown type for the end of its only client, and exits. */
const kinds: Readonly<
  Record<string, "sync" | "flush" | "execute" | "part" | "terminate" | "drop">
> = {
  Q: "sync",
  F: "sync",
  S: "sync",
  H: "flush",
  E: "execute",
  P: "part",
  B: "part",
  D: "part",
  C: "part",
  X: "terminate",
  // Data of a COPY FROM STDIN that has already been refused; Postgres drops them, too.
  d: "drop",
  c: "drop",
  f: "drop",
};

export function createFrontendReader(options: {
  readonly maxMessageBytes: number;
}): FrontendReader {
  const { maxMessageBytes } = options;
  let chunks: Buffer[] = [];
  let size = 0;
  let hasStarted = false;

  /** Returns the next `length` bytes without consuming them; joins chunks only when all have arrived. */
  const peek = (length: number): Buffer | undefined => {
    if (size < length) return undefined;
    if ((chunks[0]?.length ?? 0) < length) chunks = [Buffer.concat(chunks)];
    return chunks[0]?.subarray(0, length);
  };
  const take = (length: number): Buffer | undefined => {
    const bytes = peek(length);
    const [first] = chunks;
    if (bytes === undefined || first === undefined) return undefined;
    if (first.length === length) chunks.shift();
    else chunks[0] = first.subarray(length);
    size -= length;
    return bytes;
  };

  const nextAtStart = (): FrontendMessage | undefined => {
    const length = peek(4)?.readUInt32BE();
    if (length === undefined) return undefined;
    if (length < 8 || length > maxStartupBytes) throw malformed("invalid length of startup packet");
    const code = take(length)?.readUInt32BE(4);
    if (code === undefined) return undefined;
    if (code === sslRequest || code === gssRequest) return { kind: "encryption-request" };
    if (code === cancelRequest) return { kind: "cancel-request" };
    const majorVersion = code >>> 16;
    if (majorVersion !== 3) throw malformed(`unsupported frontend protocol ${majorVersion}`);
    hasStarted = true;
    return { kind: "startup", minorVersion: code & 0xffff };
  };

  return {
    push(chunk) {
      if (chunk.length === 0) return;
      chunks.push(chunk);
      size += chunk.length;
    },
    next() {
      if (!hasStarted) return nextAtStart();
      for (;;) {
        const head = peek(5);
        if (head === undefined) return undefined;
        const type = String.fromCharCode(head[0] ?? 0);
        const kind = Object.hasOwn(kinds, type) ? kinds[type] : undefined;
        if (kind === undefined) throw malformed(`invalid frontend message type ${head[0]}`);
        const length = head.readUInt32BE(1);
        if (length < 4) throw malformed("invalid message length");
        if (length > maxMessageBytes) {
          const text = `message must have at most ${maxMessageBytes} bytes, got ${length}`;
          throw new ParsecError("FRAME_TOO_LARGE", text);
        }
        const bytes = take(1 + length);
        if (bytes === undefined) return undefined;
        if (kind === "terminate") return { kind };
        if (kind !== "drop") return { kind, bytes };
      }
    },
  };
}

function malformed(message: string): ParsecError {
  return new ParsecError("MALFORMED_FRAME", message);
}
