import { ParsecError } from "./errors.ts";
import { AnswerReader, type AnswerReceiver } from "./peer-frame-answer-reader.ts";

class Outcome implements AnswerReceiver {
  readonly frameId: number;
  readonly count: number;
  /** By index; what was applied, with the ticket that came along. */
  readonly applications: Map<number, number> = new Map();
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

  applied(index: number, ticket: number): void {
    this.applications.set(index, ticket);
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
  readOutcome(bytes, frame);
}

/** Reads the peer's answer to part of a hand-over: the ticket for the next. Throws like {@link checkInvalidationsApplied}. */
export function readTakenOver(bytes: Uint8Array, frameId: number): number {
  return readOutcome(bytes, { frameId, count: 1 }).applications.get(0) as number;
}

function readOutcome(
  bytes: Uint8Array,
  frame: { readonly frameId: number; readonly count: number },
): Outcome {
  const outcome = new Outcome(frame);
  const reader = new AnswerReader(outcome, { maxValueBytes: 0 });
  reader.push(bytes);
  reader.end();
  if (outcome.failure !== undefined) throw outcome.failure;
  if (outcome.applications.size < frame.count) {
    throw new ParsecError("PEER_UNREACHABLE", "the peer did not say that it applied everything");
  }
  return outcome;
}
