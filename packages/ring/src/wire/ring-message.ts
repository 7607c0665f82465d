import { ParsecError, type ParsecErrorCode } from "@parsec/core";
import { isErrorCode } from "@parsec/core/transport";
import { tableLimits } from "../table/table-limits.ts";
import { FieldReader } from "./field-reader.ts";
import { FieldWriter } from "./field-writer.ts";

/*
 * request:  u8 kind | text incarnation | count epoch | u32 partition | count partEpoch | kind's own fields
 * answer:   u8 outcome | outcome's own fields
 *
 * Numbers are little-endian; a count is a whole number in a double.
 */

/** The kinds of requests between nodes. */
export type RequestKind =
  | "call"
  | "write"
  | "read"
  | "replicate"
  | "copy"
  | "position"
  | "send-copy";

const kinds: readonly RequestKind[] = [
  "call",
  "write",
  "read",
  "replicate",
  "copy",
  "position",
  "send-copy",
];

/** The head of each request: which partition it is about, and under which table it was sent. */
export interface RequestHead {
  readonly kind: RequestKind;
  readonly incarnation: string;
  readonly epoch: number;
  readonly partition: number;
  readonly partEpoch: number;
}

export function writeHead(head: RequestHead, expectedBytes?: number): FieldWriter {
  return new FieldWriter(expectedBytes === undefined ? undefined : expectedBytes + 64)
    .u8(kinds.indexOf(head.kind))
    .text(head.incarnation)
    .count(head.epoch)
    .u32(head.partition)
    .count(head.partEpoch);
}

export function readHead(reader: FieldReader): RequestHead {
  const kind = kinds[reader.u8()];
  if (kind === undefined) throw new ParsecError("MALFORMED_FRAME", "unknown kind of request");
  return {
    kind,
    incarnation: reader.text(tableLimits.maxNameBytes),
    epoch: reader.count(),
    partition: reader.u32(),
    partEpoch: reader.count(),
  };
}

/**
 * Why a node did not execute a request.
 * `not-owner`: it does not own the partition. `stale-epoch`: the request is of another epoch than its ownership.
 * `not-ready`: it owns the partition, but does not serve it at this moment.
 */
export type Refusal = "not-owner" | "stale-epoch" | "not-ready";

export type Answer =
  | { readonly outcome: "done"; readonly body: Uint8Array }
  | { readonly outcome: "refused"; readonly refusal: Refusal; readonly epoch: number }
  | { readonly outcome: "failed"; readonly error: ParsecError };

const refusals: readonly Refusal[] = ["not-owner", "stale-epoch", "not-ready"];
const maxMessageBytes = 2048;

export function encodeAnswer(answer: Answer): Uint8Array {
  if (answer.outcome === "done") {
    return new FieldWriter(answer.body.length + 1).u8(0).rest(answer.body).finish();
  }
  if (answer.outcome === "refused") {
    return new FieldWriter(16)
      .u8(1)
      .u8(refusals.indexOf(answer.refusal))
      .count(answer.epoch)
      .finish();
  }
  const { code, message } = answer.error;
  return new FieldWriter()
    .u8(2)
    .text(code)
    .text(message.slice(0, maxMessageBytes / 4))
    .finish();
}

/** Decodes an answer. Throws `MALFORMED_FRAME`. */
export function decodeAnswer(bytes: Uint8Array): Answer {
  const reader = new FieldReader(bytes);
  const outcome = reader.u8();
  if (outcome === 0) return { outcome: "done", body: reader.rest() };
  if (outcome === 1) {
    const refusal = refusals[reader.u8()];
    if (refusal === undefined) throw new ParsecError("MALFORMED_FRAME", "unknown refusal");
    return { outcome: "refused", refusal, epoch: reader.count() };
  }
  if (outcome !== 2) throw new ParsecError("MALFORMED_FRAME", "unknown kind of answer");
  const code = reader.text(64);
  const message = reader.text(maxMessageBytes);
  return { outcome: "failed", error: new ParsecError(knownCode(code), message) };
}

function knownCode(code: string): ParsecErrorCode {
  return isErrorCode(code) ? code : "ORIGIN_FAILED";
}
