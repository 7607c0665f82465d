import type { Metadata, MethodDefinition } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import { protoMethods } from "./grpc-proto-definitions.ts";

/*
 * The service parsec.v1.Peers. Its messages are no protobuf but the binary frames of
 * `peer-frame-layout.ts` in core, as they are:
 *
 *   Exchange    a stream of frames of lookups and cancellations; back comes a stream of answers
 *   Lookup      one frame of lookups; all its answers in one message
 *   Invalidate  one frame of invalidations; its answers
 *   HandOver    one frame of entries of a node that leaves; its answer
 *   Ping        nothing; nothing
 *
 * On the way back, a message of Exchange is a whole frame of answers, which begins with 0x50, or
 *
 *   u8 kind, u32 frame id (little-endian), rest
 *     1 piece    the next part of a frame of answers; more follow
 *     2 last     the last part
 *     3 refusal  what was wrong with the frame that was sent: a code, a space and a message
 *
 * With a shared secret, each message on the stream ends in 16 bytes of proof, see `grpc-seal.ts`.
 */

/** A message as gRPC carries it, without encoding. */
export type BytesMethod = MethodDefinition<Buffer, Buffer>;

export const messageMethods: {
  readonly exchange: BytesMethod;
  readonly lookup: BytesMethod;
  readonly invalidate: BytesMethod;
  readonly handOver: BytesMethod;
  readonly ping: BytesMethod;
  readonly get: BytesMethod;
  readonly check: BytesMethod;
  readonly watch: BytesMethod;
} = {
  exchange: method({
    path: "/parsec.v1.Peers/Exchange",
    requestStream: true,
    responseStream: true,
  }),
  lookup: unary("/parsec.v1.Peers/Lookup"),
  invalidate: unary("/parsec.v1.Peers/Invalidate"),
  handOver: unary("/parsec.v1.Peers/HandOver"),
  ping: unary("/parsec.v1.Peers/Ping"),
  get: method(protoMethods["groupcachepb.GroupCache.Get"]),
  check: method(protoMethods["grpc.health.v1.Health.Check"]),
  watch: method(protoMethods["grpc.health.v1.Health.Watch"]),
};

/** Trailer with the `ParsecErrorCode` of a failed call, or `NOT_FOUND` when the origin has nothing under the key. */
export const codeKey = "parsec-code";
export const notFoundCode = "NOT_FOUND";
/** Trailer of a foreign Get: how long a copy may be kept, in milliseconds; absent for ever. */
export const ttlKey = "parsec-ttl-ms";

/** A message of answers is no longer than this, so that an asker need not accept more at once. */
export const maxAnswerMessageBytes: number = 1024 * 1024;
/** Kind and frame id. */
export const answerHeadBytes = 5;

const wholeFrame = 0x50;
const kinds = { piece: 1, last: 2, refusal: 3 } as const;

/** What a message of answers is about. */
export interface AnswerMessage {
  readonly kind: "whole" | keyof typeof kinds;
  readonly frameId: number;
  readonly body: Buffer;
}

/** The id of a frame, which stands at the same place in each kind. 0 when there is none. */
export function frameIdOf(bytes: Buffer): number {
  return bytes.length >= 8 && bytes[0] === wholeFrame ? bytes.readUInt32LE(4) : 0;
}

/** Wraps part of a frame of answers, or a refusal. */
export function encodeAnswerMessage(
  kind: keyof typeof kinds,
  frameId: number,
  body: Uint8Array,
): Buffer {
  const message = Buffer.allocUnsafe(answerHeadBytes + body.length);
  message[0] = kinds[kind];
  message.writeUInt32LE(frameId, 1);
  message.set(body, answerHeadBytes);
  return message;
}

/** Reads the head of a message of answers. Throws `MALFORMED_FRAME`. */
export function decodeAnswerMessage(message: Buffer): AnswerMessage {
  if (message[0] === wholeFrame && message.length >= 8) {
    return { kind: "whole", frameId: message.readUInt32LE(4), body: message };
  }
  if (message.length >= answerHeadBytes) {
    const frameId = message.readUInt32LE(1);
    const body = message.subarray(answerHeadBytes);
    switch (message[0]) {
      case kinds.piece:
        return { kind: "piece", frameId, body };
      case kinds.last:
        return { kind: "last", frameId, body };
      case kinds.refusal:
        return { kind: "refusal", frameId, body };
    }
  }
  throw new ParsecError("MALFORMED_FRAME", "a message on the stream is no answer");
}

function unary(path: string): BytesMethod {
  return method({ path, requestStream: false, responseStream: false });
}

function method(
  definition: Pick<BytesMethod, "path" | "requestStream" | "responseStream">,
): BytesMethod {
  return {
    ...definition,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

function same(bytes: Buffer): Buffer {
  return bytes;
}

/** The first value under a key; undefined when there is none, or one of bytes. */
export function firstText(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return typeof value === "string" ? value : undefined;
}
