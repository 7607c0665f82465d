import { ParsecError } from "../../errors.ts";
import { AnswerReader, type AnswerReceiver } from "./answer-reader.ts";

class Outcome implements AnswerReceiver {
  readonly frameId: number;
  readonly count: number;
  /** By index; what was applied, with the ticket that came along. */
  readonly applications: Map<number, number> = new Map();
  readonly failures: Map<number, ParsecError> = new Map();

  constructor(frame: { readonly frameId: number; readonly count: number }) {
    this.frameId = frame.frameId;
    this.count = frame.count;
  }

  answered(): void {
    // An answer to a lookup here applies nothing; the count shows that something is missing.
  }

  failed(index: number, error: ParsecError): void {
    this.failures.set(index, error);
  }

  applied(index: number, ticket: number): void {
    this.applications.set(index, ticket);
  }

  /** Why one of them was not applied; undefined when it was. */
  failureOf(index: number): ParsecError | undefined {
    const failure = this.failures.get(index);
    if (failure !== undefined || this.applications.has(index)) return failure;
    return new ParsecError("PEER_UNREACHABLE", "the peer did not say that it applied everything");
  }
}

/**
 * Reads the peer's answer to a frame of `count` invalidations: for each what the peer reports,
 * `PEER_UNREACHABLE` when it leaves it out, undefined when it applied it. Throws `MALFORMED_FRAME`.
 */
export function readAppliedEach(
  bytes: Uint8Array,
  frame: { readonly frameId: number; readonly count: number },
): readonly (ParsecError | undefined)[] {
  const outcome = readOutcome(bytes, frame);
  return Array.from({ length: frame.count }, (_, index) => outcome.failureOf(index));
}

/** Reads the peer's answer to part of a hand-over: the ticket for the next. Throws what the peer reports, or `MALFORMED_FRAME`. */
export function readTakenOver(bytes: Uint8Array, frameId: number): number {
  const outcome = readOutcome(bytes, { frameId, count: 1 });
  const failure = outcome.failureOf(0);
  if (failure !== undefined) throw failure;
  return outcome.applications.get(0) as number;
}

function readOutcome(
  bytes: Uint8Array,
  frame: { readonly frameId: number; readonly count: number },
): Outcome {
  const outcome = new Outcome(frame);
  const reader = new AnswerReader(outcome, { maxValueBytes: 0 });
  reader.push(bytes);
  reader.end();
  return outcome;
}
