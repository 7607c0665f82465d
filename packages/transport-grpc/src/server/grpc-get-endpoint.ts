import { type Deadline, Metadata, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { ParsecError, type PeerAnswer, type PeerHost, type PeerTrace } from "@parsec/core";
import {
  decodeGetRequest,
  encodeGetResponse,
  keyFromBytes,
  readPeerTrace,
} from "@parsec/core/transport";
import { NotFound } from "../grpc-errors.ts";
import type { GrpcLimits } from "../grpc-options.ts";
import { ttlKey } from "../grpc-wire.ts";

/** A Get that was answered, with its trailer. */
interface GetAnswer {
  readonly message: Buffer;
  readonly trailer: Metadata;
}

/** Answers groupcachepb.GroupCache/Get, whose messages are those of Go's groupcache. Rejects with what to report instead. */
export async function answerGet(
  call: ServerUnaryCall<Buffer, Buffer>,
  callback: sendUnaryData<Buffer>,
  owner: { readonly host: PeerHost; readonly limits: GrpcLimits },
): Promise<void> {
  const controller = new AbortController();
  const left = new Promise<never>((_resolve, reject) => {
    call.on("cancelled", () => {
      controller.abort();
      reject(new ParsecError("ABORTED", "the asker left"));
    });
  });
  const answer = await Promise.race([lookUp(call, owner, controller.signal), left]);
  const { message, trailer } = toMessage(answer, owner.limits);
  callback(null, message, trailer);
}

async function lookUp(
  call: ServerUnaryCall<Buffer, Buffer>,
  owner: { readonly host: PeerHost; readonly limits: GrpcLimits },
  signal: AbortSignal,
): Promise<PeerAnswer> {
  const { host, limits } = owner;
  const { group, key } = decodeGetRequest(call.request);
  if (group.length > limits.maxGroupBytes) {
    throw new ParsecError("NO_SUCH_GROUP", "no such group: its name is longer than any here");
  }
  if (key.length > limits.maxKeyBytes) {
    throw new ParsecError(
      "KEY_TOO_LARGE",
      `the key has ${key.length} bytes, limits.maxKeyBytes is ${limits.maxKeyBytes}`,
    );
  }
  const timeoutMs = Math.min(remainingMs(call.getDeadline()), limits.getTimeoutMs);
  if (timeoutMs <= 0) throw new ParsecError("TIMEOUT", "the call came after its deadline");
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

/** What the call is part of, as W3C's two headers say it. */
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
      `the value has ${value.length} bytes, limits.maxValueBytes is ${limits.maxValueBytes}`,
    );
  }
  const trailer = new Metadata();
  if (ttlMs !== Number.POSITIVE_INFINITY) trailer.set(ttlKey, String(Math.floor(ttlMs)));
  return { message: encodeGetResponse({ value, minuteQps: ratePerMinute }), trailer };
}

/** Deadlines are times of day on both sides of gRPC; here as what is left. */
function remainingMs(deadline: Deadline): number {
  return (typeof deadline === "number" ? deadline : deadline.getTime()) - Date.now();
}
