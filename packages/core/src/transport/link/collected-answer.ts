import { abortedError } from "../../abort.ts";
import type { Clock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";

/** Receives the answer to a frame from a transport: an `OutgoingFrame` of lookups, or a {@link CollectedAnswer}. */
export interface FrameAnswer {
  /** Call it with each chunk of the answer. Throws when the answer is invalid: then call {@link fail}. */
  receive(chunk: Uint8Array): void;
  /** The answer is complete. */
  finish(): void;
  /** The exchange failed. */
  fail(error: ParsecError): void;
}

/** An answer that is needed as a whole, such as that to a control frame or a ping. */
export interface CollectedAnswer extends FrameAnswer {
  /** Resolves with all bytes. Rejects with the error of `fail`, or with `TIMEOUT` or `ABORTED`: then cancel the request at the peer, if the transport can. */
  readonly whole: Promise<NodeBuffer>;
}

/** Creates a {@link CollectedAnswer}, with a time limit in milliseconds and a size limit in bytes. */
export function collectAnswer(options: {
  readonly peerId: string;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly maxAnswerBytes: number;
  readonly signal: AbortSignal | undefined;
}): CollectedAnswer {
  const { peerId, clock, timeoutMs, maxAnswerBytes, signal } = options;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let finish = (): void => {};
  let fail = (_: ParsecError): void => {};
  const whole = new Promise<Buffer>((resolve, reject) => {
    const abort = (): void => fail(abortedError(signal));
    const cancelTimer = clock.schedule(timeoutMs, () => {
      fail(
        new ParsecError("TIMEOUT", `${peerId} did not answer within ${Math.round(timeoutMs)} ms`),
      );
    });
    const release = (): void => {
      cancelTimer();
      signal?.removeEventListener("abort", abort);
    };
    finish = () => {
      release();
      resolve(Buffer.concat(pieces));
    };
    fail = (error) => {
      release();
      reject(error);
    };
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
  return {
    whole,
    receive(chunk) {
      bytes += chunk.length;
      if (bytes > maxAnswerBytes) {
        const message = `answer must have at most ${maxAnswerBytes} bytes`;
        throw new ParsecError("FRAME_TOO_LARGE", message);
      }
      pieces.push(chunk);
    },
    finish: () => finish(),
    fail: (error) => fail(error),
  };
}
