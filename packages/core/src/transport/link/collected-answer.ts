import { abortedError } from "../../abort.ts";
import type { Clock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";

/** Where a transport brings the answer to a frame: an `OutgoingFrame` of lookups, or a {@link CollectedAnswer}. */
export interface FrameAnswer {
  /** Some bytes came, cut anywhere. Throws when they cannot be part of an answer: then call {@link fail}. */
  receive(chunk: Uint8Array): void;
  /** All bytes have come. */
  finish(): void;
  /** No more bytes will come. */
  fail(error: ParsecError): void;
}

/** An answer that is wanted whole, such as that to a control frame or a ping. */
export interface CollectedAnswer extends FrameAnswer {
  /** Resolves with all bytes. Rejects with what `fail` was given, or `TIMEOUT` or `ABORTED`: then tell the peer, if that helps. */
  readonly whole: Promise<NodeBuffer>;
}

/** Collects an answer until it is complete, `timeoutMs` is over or `signal` fires. */
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
      fail(new ParsecError("TIMEOUT", `${peerId} did not answer within ${timeoutMs} ms`));
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
        const message = `the answer has more than ${maxAnswerBytes} bytes`;
        throw new ParsecError("FRAME_TOO_LARGE", message);
      }
      pieces.push(chunk);
    },
    finish: () => finish(),
    fail: (error) => fail(error),
  };
}
