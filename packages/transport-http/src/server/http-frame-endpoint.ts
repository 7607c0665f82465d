import type { ServerResponse } from "node:http";
import { isParsecError, ParsecError } from "@parsec/core";
import {
  type AnswerSink,
  type FrameServer,
  requestKind,
  type ServedFrame,
} from "@parsec/core/transport";
import { frameContentType, statusOf } from "../http-wire.ts";
import { refuse } from "./http-responses.ts";

/** Up to this size, a conversion to text costs less than a separate write for the body. */
const maxTextBytes = 2048;

/** The default `keepAliveTimeout` of Node's server. */
const defaultKeepAliveMs = 5000;

/** Sends the answers to one frame of lookups: all at once, or in chunks. */
class ResponseSink implements AnswerSink {
  readonly #response: ServerResponse;
  served: ServedFrame | undefined = undefined;
  finished = false;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  sendAll(bytes: Buffer): void {
    this.finished = true;
    sendFrame(this.#response, bytes);
  }

  send(bytes: Buffer): boolean {
    const response = this.#response;
    if (!response.headersSent) response.writeHead(200, ["content-type", frameContentType]);
    const hasRoom = response.write(bytes);
    if (!hasRoom) response.once("drain", () => this.served?.resume());
    return hasRoom;
  }

  finish(): void {
    this.finished = true;
    this.#response.end();
  }
}

function sendFrame(response: ServerResponse, bytes: Buffer): void {
  // Peers need neither the date header nor, on a connection that stays open anyway, keep-alive.
  response.sendDate = false;
  if (outlivesIdlePeers(response)) response.removeHeader("connection");
  response.writeHead(200, [
    "content-type",
    frameContentType,
    "content-length",
    String(bytes.length),
  ]);
  // Node writes text together with the headers; bytes take a second write.
  if (bytes.length <= maxTextBytes) response.end(bytes.toString("latin1"), "latin1");
  else response.end(bytes);
}

/** Whether this server keeps idle connections longer than peers do, so that the keep-alive headers can be omitted. */
function outlivesIdlePeers(response: ServerResponse): boolean {
  const socket = response.socket as {
    readonly server?: { readonly keepAliveTimeout?: number };
  } | null;
  return response.shouldKeepAlive && (socket?.server?.keepAliveTimeout ?? 0) >= defaultKeepAliveMs;
}

/** Sends an answer that other processes of this node may have to complete. */
function sendLater(response: ServerResponse, answer: Buffer | Promise<Buffer>): void {
  if (answer instanceof Promise) void answer.then((bytes) => sendFrame(response, bytes));
  else sendFrame(response, answer);
}

/** Answers an authenticated frame. */
export function answerFrame(body: Buffer, response: ServerResponse, server: FrameServer): void {
  try {
    const kind = requestKind(body);
    if (kind === "invalidations") sendLater(response, server.invalidations(body));
    else if (kind === "entries") sendLater(response, server.entries(body));
    else if (kind === "cancellation") {
      server.cancellation(body);
      response.writeHead(204).end();
    } else answerLookups(body, response, server);
  } catch (error) {
    const typed = isParsecError(error)
      ? error
      : new ParsecError("INVALID_ARGUMENT", "internal error while answering the frame", {
          cause: error,
        });
    const status = isParsecError(error) ? statusOf(typed.code) : 500;
    refuse(response, { status, code: typed.code, message: typed.message });
  }
}

function answerLookups(body: Buffer, response: ServerResponse, server: FrameServer): void {
  const sink = new ResponseSink(response);
  const served = server.lookups(body, sink);
  if (sink.finished) return;
  sink.served = served;
  if (response.destroyed) served.disconnected();
  else response.on("close", () => served.disconnected());
}
