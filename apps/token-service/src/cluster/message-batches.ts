import { ParsecError } from "@parsec/core";
import type { FrontendMessage } from "./frontend-reader.ts";
import { copyFail } from "./protocol-messages.ts";

/** Collects the messages of one client until the server must answer. */
export interface MessageBatches {
  /**
   * Adds a message, and returns the batch if it is complete. Throws `FRAME_TOO_LARGE` when a client sends
   * more than `maxBytes` without Sync or Flush.
   */
  add(message: PartOfBatch): Buffer | undefined;
}

export type PartOfBatch = Extract<FrontendMessage, { readonly bytes: Buffer }>;

/**
 * PGlite cannot read from its client while a statement runs, so it would exit on COPY FROM STDIN. This
 * message follows each one that may start a COPY, and turns it into an SQL error.
 */
const noCopy = copyFail("COPY FROM STDIN is not supported by the embedded database");

export function createMessageBatches(options: { readonly maxBytes: number }): MessageBatches {
  const { maxBytes } = options;
  let parts: Buffer[] = [];
  let size = 0;
  return {
    add({ kind, bytes }) {
      parts.push(bytes);
      if (kind === "execute" || kind === "sync") parts.push(noCopy);
      size += bytes.length;
      if (size > maxBytes) {
        const text = `pipeline must have at most ${maxBytes} bytes without Sync`;
        throw new ParsecError("FRAME_TOO_LARGE", text);
      }
      if (kind === "execute" || kind === "part") return undefined;
      const batch = Buffer.concat(parts);
      parts = [];
      size = 0;
      return batch;
    },
  };
}
