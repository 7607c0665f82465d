import { ParsecError } from "../../errors.ts";
import type { PeerContactAnswer } from "../../peer.ts";
import { AnswerReader, type AnswerReceiver } from "./answer-reader.ts";

class Outcome implements AnswerReceiver {
  readonly frameId: number;
  readonly count: number;
  /** Tickets of applied invalidations or parts, by index. */
  readonly applications: Map<number, number> = new Map();
  readonly failures: Map<number, ParsecError> = new Map();

  constructor(frame: { readonly frameId: number; readonly count: number }) {
    this.frameId = frame.frameId;
    this.count = frame.count;
  }

  answered(): void {
    // Such an answer belongs to lookups. It is ignored, so its index counts as not applied.
  }

  failed(index: number, error: ParsecError): void {
    this.failures.set(index, error);
  }

  applied(index: number, ticket: number): void {
    this.applications.set(index, ticket);
  }

  /** The error of an index; undefined when it was applied. */
  failureOf(index: number): ParsecError | undefined {
    const failure = this.failures.get(index);
    if (failure !== undefined || this.applications.has(index)) return failure;
    return new ParsecError("PEER_UNREACHABLE", "the answer of the peer is incomplete");
  }
}

/**
 * Decodes the answer to a frame of `count` invalidations. For each: undefined when the peer applied it, the
 * error that it reports, or `PEER_UNREACHABLE` when the answer omits it. Throws `MALFORMED_FRAME`.
 */
export function readAppliedEach(
  bytes: Uint8Array,
  frame: { readonly frameId: number; readonly count: number },
): readonly (ParsecError | undefined)[] {
  const outcome = readOutcome(bytes, frame);
  return Array.from({ length: frame.count }, (_, index) => outcome.failureOf(index));
}

/** Decodes the answer to a part of a hand-over and returns the ticket for the next part. Throws the error that the peer reports, or `MALFORMED_FRAME`. */
export function readTakenOver(bytes: Uint8Array, frameId: number): number {
  const outcome = readOutcome(bytes, { frameId, count: 1 });
  const failure = outcome.failureOf(0);
  if (failure !== undefined) throw failure;
  return outcome.applications.get(0) as number;
}

/** Decodes the answer to a contact; undefined from a peer of an earlier release. Throws the other errors that the peer reports, or `MALFORMED_FRAME`. */
export function readContact(bytes: Uint8Array, frameId: number): PeerContactAnswer | undefined {
  const { applications, failures } = readOutcome(bytes, { frameId, count: 3 });
  const failure = failures.get(0);
  if (failure !== undefined && failure.code !== "NO_SUCH_GROUP") throw failure;
  const session = applications.get(0);
  const promise = applications.get(1);
  if (session === undefined || promise === undefined) return undefined;
  return { session, promise, owes: applications.get(2) === 1 };
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
