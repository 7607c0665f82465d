import { ParsecError } from "@parsec/core";
import type { FrontendMessage } from "./frontend-reader.ts";
import { copyFail } from "./protocol-messages.ts";

/** Collects the messages of one client until the server owes an answer. */
export interface MessageBatches {
  /**
   * Returns the batch that this message completes. Throws `FRAME_TOO_LARGE` when a client sends ever
   * more without asking for an answer.
   */
  add(message: PartOfBatch): Buffer | undefined;
}

export type PartOfBatch = Extract<FrontendMessage, { readonly bytes: Buffer }>;

/**
 * PGlite reads from nobody while it works, so it would take a COPY FROM STDIN for the end of its
 * client, and itself end. This follows each message that may start one, and makes it an SQL error.
 */
const noCopy = copyFail("the embedded database does not read from its clients");

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
        const text = `a pipeline of more than ${maxBytes} bytes without Sync`;
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
