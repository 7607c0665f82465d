import { ParsecError } from "./errors.ts";
import { AnswerReader, type AnswerReceiver } from "./peer-frame-answer-reader.ts";

class Outcome implements AnswerReceiver {
  readonly frameId: number;
  readonly count: number;
  readonly applications: Set<number> = new Set();
  failure: ParsecError | undefined = undefined;

  constructor(frame: { readonly frameId: number; readonly count: number }) {
    this.frameId = frame.frameId;
    this.count = frame.count;
  }

  answered(): void {
    // An answer to a lookup here applies nothing; the count shows that something is missing.
  }

  failed(_index: number, error: ParsecError): void {
    this.failure ??= error;
  }

  applied(index: number): void {
    this.applications.add(index);
  }
}

/**
 * Reads the peer's answer to a frame of `count` invalidations. Throws the first failure it reports,
 * `PEER_UNREACHABLE` when it leaves one out, or `MALFORMED_FRAME`.
 */
export function checkInvalidationsApplied(
  bytes: Uint8Array,
  frame: { readonly frameId: number; readonly count: number },
): void {
  const outcome = new Outcome(frame);
  const reader = new AnswerReader(outcome, { maxValueBytes: 0 });
  reader.push(bytes);
  reader.end();
  if (outcome.failure !== undefined) throw outcome.failure;
  if (outcome.applications.size < frame.count) {
    throw new ParsecError("PEER_UNREACHABLE", "the peer did not say that it applied everything");
  }
}
