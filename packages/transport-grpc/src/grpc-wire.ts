import type { Metadata, MethodDefinition } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import { protoMethods } from "./grpc-proto-definitions.ts";

/*
 * The service parsec.v1.Peers. Its messages are not protobuf but the binary frames of core
 * (`transport/wire/layout.ts`):
 *
 *   method      request                                             response
 *   Exchange    stream of frames of lookups and cancellations       stream of answers
 *   Lookup      one frame of lookups                                one frame with all answers
 *   Invalidate  one frame of invalidations                          its answers
 *   HandOver    one frame of entries of a node that shuts down      its answer
 *   Ping        empty                                               empty
 *
 * A response message of Exchange is a whole frame of answers, which begins with 0x50, or
 *
 *   u8 kind, u32 frame id (little-endian), rest
 *     1 piece    a part of a frame of answers; more follow
 *     2 last     the last part
 *     3 refusal  the reason for which the frame was refused: a code, a space and a message
 *
 * With a shared secret, each message on the stream ends with a MAC of 16 bytes, see `grpc-seal.ts`.
 */

/** A method whose messages are raw bytes. */
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

/** Trailer: the `ParsecErrorCode` of a failed call, or `NOT_FOUND` when the origin has no value for the key. */
export const codeKey = "parsec-code";
export const notFoundCode = "NOT_FOUND";
/** Trailer of a groupcachepb Get: time to live of the value in milliseconds; without it, the value never expires. */
export const ttlKey = "parsec-ttl-ms";

/** Maximum size of a message of answers. Longer frames are split, so that clients can limit the message size. */
export const maxAnswerMessageBytes: number = 1024 * 1024;
/** Bytes of kind and frame id. */
export const answerHeadBytes = 5;

const wholeFrame = 0x50;
const kinds = { piece: 1, last: 2, refusal: 3 } as const;

/** A parsed message of answers. */
export interface AnswerMessage {
  readonly kind: "whole" | keyof typeof kinds;
  readonly frameId: number;
  readonly body: Buffer;
}

/** The id of a frame of any kind; 0 when the bytes are not a frame. */
export function frameIdOf(bytes: Buffer): number {
  return bytes.length >= 8 && bytes[0] === wholeFrame ? bytes.readUInt32LE(4) : 0;
}

/** Encodes a part of a frame of answers, or a refusal. */
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

/** Parses a message of answers. Throws `MALFORMED_FRAME`. */
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
  throw new ParsecError("MALFORMED_FRAME", "stream message is not an answer");
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

/** The first value of a key; undefined when it is missing or binary. */
export function firstText(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return typeof value === "string" ? value : undefined;
}
