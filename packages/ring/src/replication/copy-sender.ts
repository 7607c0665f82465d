import { ParsecError } from "@parsec/core";
import { decodeAnswer, type RequestHead } from "../wire/ring-message.ts";
import type { Position } from "./partition-state.ts";
import type { Replica } from "./replica.ts";
import { encodeCopyPiece } from "./replicate-message.ts";

export interface CopyOptions {
  readonly replica: Replica;
  /** Returns the head of the next piece; called for each, since the table may change meanwhile. */
  readonly head: () => RequestHead;
  readonly copy: number;
  readonly pieceBytes: number;
  readonly send: (request: Uint8Array) => Promise<Uint8Array>;
  /** Waits until that many more bytes may be sent. */
  readonly throttle: (bytes: number) => Promise<void>;
}

/** Sends a whole copy of a partition in pieces. Resolves with its position. */
export async function sendCopy(options: CopyOptions): Promise<Position> {
  const { replica, head, copy, pieceBytes, send, throttle } = options;
  const { position, chunks } = await replica.snapshot();
  let index = 0;
  const sendPiece = async (bytes: Uint8Array, last: boolean): Promise<void> => {
    await throttle(bytes.length);
    const piece = { copy, index: index++, last, position, bytes };
    const answer = decodeAnswer(await send(encodeCopyPiece(head(), piece)));
    if (answer.outcome === "done") return;
    if (answer.outcome === "failed") throw answer.error;
    throw new ParsecError("PEER_UNREACHABLE", `a copy was refused: ${answer.refusal}`);
  };
  for await (const piece of piecesOf(chunks, pieceBytes)) await sendPiece(piece, false);
  await sendPiece(new Uint8Array(), true);
  return position;
}

/** Joins small chunks and splits large ones into pieces of `pieceBytes`. */
async function* piecesOf(
  chunks: AsyncIterable<Uint8Array>,
  pieceBytes: number,
): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    if (!(chunk instanceof Uint8Array)) {
      throw new ParsecError("INVALID_ARGUMENT", "state.snapshot must yield Uint8Array chunks");
    }
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + pieceBytes - heldBytes);
      at += part.length;
      held.push(part);
      heldBytes += part.length;
      if (heldBytes < pieceBytes) continue;
      yield Buffer.concat(held);
      held = [];
      heldBytes = 0;
    }
  }
  if (heldBytes > 0) yield Buffer.concat(held);
}
