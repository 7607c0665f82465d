import type { ServerResponse } from "node:http";
import { isParsecError, ParsecError, type PeerAnswer } from "@parsec/core";
import {
  encodeGetResponse,
  keyFromBytes,
  readPeerTrace,
  type ServedHost,
} from "@parsec/core/transport";
import type { HttpLimits } from "../http-options.ts";
import {
  codeHeader,
  notFoundCode,
  protobufContentType,
  statusOf,
  ttlHeader,
} from "../http-wire.ts";
import type { RequestHead } from "./http-head.ts";

/** Answers `GET {base}{group}/{key}` as Go's groupcache does, with the error code and time to live in headers. */
export async function answerGet(
  asked: { readonly group: Buffer; readonly key: Buffer; readonly head: RequestHead },
  response: ServerResponse,
  owner: { readonly host: ServedHost; readonly limits: HttpLimits },
): Promise<void> {
  const controller = new AbortController();
  const leave = (): void => controller.abort();
  response.on("close", leave);
  const group = keyFromBytes(asked.group);
  const trace = readPeerTrace(asked.head);
  try {
    if (asked.key.length > owner.limits.maxKeyBytes) {
      throw new ParsecError(
        "KEY_TOO_LARGE",
        `key must have at most ${owner.limits.maxKeyBytes} bytes (limits.maxKeyBytes), got ${asked.key.length}`,
      );
    }
    const answer = await owner.host.lookup(
      {
        group,
        key: keyFromBytes(asked.key),
        input: undefined,
        fence: 0,
        timeoutMs: owner.limits.getTimeoutMs,
        ...(trace === undefined ? undefined : { trace }),
      },
      controller,
    );
    const { maxValueBytes } = owner.limits;
    if (answer.value !== undefined && answer.value.length > maxValueBytes) {
      throw new ParsecError(
        "VALUE_TOO_LARGE",
        `value must have at most ${maxValueBytes} bytes (limits.maxValueBytes), got ${answer.value.length}`,
      );
    }
    sendValue(response, answer);
  } catch (error) {
    sendFailure(response, group, error);
  } finally {
    response.off("close", leave);
  }
}

function sendValue(response: ServerResponse, answer: PeerAnswer): void {
  const { value, ttlMs, ratePerMinute } = answer;
  if (value === undefined) {
    // Go treats any status but 200 as a failure and calls its own getter, which finds nothing either.
    sendText(response, { status: 404, code: notFoundCode, text: "not found" });
    return;
  }
  const expires = ttlMs !== Number.POSITIVE_INFINITY;
  const body = encodeGetResponse({
    value,
    minuteQps: ratePerMinute,
    expiresAtMs: expires ? Date.now() + ttlMs : undefined,
  });
  response.writeHead(200, {
    "content-type": protobufContentType,
    "content-length": body.length,
    ...(expires ? { [ttlHeader]: String(Math.floor(ttlMs)) } : {}),
  });
  response.end(body);
}

function sendFailure(response: ServerResponse, group: string, error: unknown): void {
  if (!isParsecError(error)) {
    sendText(response, {
      status: 500,
      code: "ORIGIN_FAILED",
      text: "internal error on the owner (see its log)",
    });
    return;
  }
  const { code } = error;
  const text = code === "NO_SUCH_GROUP" ? `no such group: ${group}` : error.message;
  sendText(response, { status: statusOf(code), code, text });
}

/** Responds as Go's `http.Error` does, with the error code in a header for Parsec nodes. */
export function sendText(
  response: ServerResponse,
  failure: { readonly status: number; readonly code: string; readonly text: string },
): void {
  if (response.destroyed || response.headersSent) return;
  const body = Buffer.from(`${failure.text}\n`, "utf8");
  response.writeHead(failure.status, {
    "content-type": "text/plain; charset=utf-8",
    "x-content-type-options": "nosniff",
    "content-length": body.length,
    [codeHeader]: failure.code,
  });
  response.end(body);
}
