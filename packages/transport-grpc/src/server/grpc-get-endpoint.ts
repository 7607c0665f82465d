import { type Deadline, Metadata, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { ParsecError, type PeerAnswer, type PeerTrace } from "@parsec/core";
import { untilAborted } from "@parsec/core/authoring";
import {
  decodeGetRequest,
  encodeGetResponse,
  keyFromBytes,
  readPeerTrace,
  type ServedHost,
} from "@parsec/core/transport";
import { NotFound } from "../grpc-errors.ts";
import type { GrpcLimits } from "../grpc-options.ts";
import { ttlKey } from "../grpc-wire.ts";

/** The response to a Get, with its trailer. */
interface GetAnswer {
  readonly message: Buffer;
  readonly trailer: Metadata;
}

/** Answers groupcachepb.GroupCache/Get, with the messages of Go's groupcache. Rejects with the error to report. */
export async function answerGet(
  call: ServerUnaryCall<Buffer, Buffer>,
  callback: sendUnaryData<Buffer>,
  owner: { readonly host: ServedHost; readonly limits: GrpcLimits },
): Promise<void> {
  const controller = new AbortController();
  call.on("cancelled", () => controller.abort());
  const { signal } = controller;
  const answer = await untilAborted(lookUp(call, owner, signal), signal);
  const { message, trailer } = toMessage(answer, owner.limits);
  callback(null, message, trailer);
}

async function lookUp(
  call: ServerUnaryCall<Buffer, Buffer>,
  owner: { readonly host: ServedHost; readonly limits: GrpcLimits },
  signal: AbortSignal,
): Promise<PeerAnswer> {
  const { host, limits } = owner;
  const { group, key } = decodeGetRequest(call.request);
  if (group.length > limits.maxGroupBytes) {
    throw new ParsecError(
      "NO_SUCH_GROUP",
      `no such group: group must have at most ${limits.maxGroupBytes} bytes (limits.maxGroupBytes)`,
    );
  }
  if (key.length > limits.maxKeyBytes) {
    throw new ParsecError(
      "KEY_TOO_LARGE",
      `key must have at most ${limits.maxKeyBytes} bytes (limits.maxKeyBytes), got ${key.length}`,
    );
  }
  const timeoutMs = Math.min(remainingMs(call.getDeadline()), limits.getTimeoutMs);
  if (timeoutMs <= 0) throw new ParsecError("TIMEOUT", "deadline passed before the call arrived");
  const trace = traceOf(call.metadata);
  return await host.lookup(
    {
      group: keyFromBytes(group),
      key: keyFromBytes(key),
      input: undefined,
      fence: 0,
      timeoutMs,
      ...(trace === undefined ? undefined : { trace }),
    },
    { signal },
  );
}

/** The W3C trace context in the call's metadata. */
function traceOf(metadata: Metadata): PeerTrace | undefined {
  const [traceparent] = metadata.get("traceparent");
  if (traceparent === undefined) return undefined;
  return readPeerTrace({ traceparent, tracestate: metadata.get("tracestate").join() || undefined });
}

function toMessage(answer: PeerAnswer, limits: GrpcLimits): GetAnswer {
  const { value, ttlMs, ratePerMinute } = answer;
  if (value === undefined) throw new NotFound("key not found");
  if (value.length > limits.maxValueBytes) {
    throw new ParsecError(
      "VALUE_TOO_LARGE",
      `value must have at most ${limits.maxValueBytes} bytes (limits.maxValueBytes), got ${value.length}`,
    );
  }
  const trailer = new Metadata();
  if (ttlMs !== Number.POSITIVE_INFINITY) trailer.set(ttlKey, String(Math.floor(ttlMs)));
  return { message: encodeGetResponse({ value, minuteQps: ratePerMinute }), trailer };
}

/** Milliseconds until a deadline, which gRPC gives as a time of day. */
function remainingMs(deadline: Deadline): number {
  return (typeof deadline === "number" ? deadline : deadline.getTime()) - Date.now();
}
