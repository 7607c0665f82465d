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

/** Up to here, turning bytes into text costs less than writing them apart from the head. */
const largestTextBytes = 2048;

/** What Node's server does unless told otherwise. */
const longEnoughMs = 5000;

/** The response to one frame of lookups: whole, or chunk by chunk. */
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
  // Nobody reads the date of a frame, and to keep the connection goes without saying.
  response.sendDate = false;
  if (outlivesIdlePeers(response)) response.removeHeader("connection");
  response.writeHead(200, [
    "content-type",
    frameContentType,
    "content-length",
    String(bytes.length),
  ]);
  // A text leaves in one write together with the head; bytes take a second one.
  if (bytes.length <= largestTextBytes) response.end(bytes.toString("latin1"), "latin1");
  else response.end(bytes);
}

/** Whether this server keeps idle connections for longer than peers do, so that they need not be told. */
function outlivesIdlePeers(response: ServerResponse): boolean {
  const socket = response.socket as {
    readonly server?: { readonly keepAliveTimeout?: number };
  } | null;
  return response.shouldKeepAlive && (socket?.server?.keepAliveTimeout ?? 0) >= longEnoughMs;
}

/** Answers a frame that was authenticated. */
export function answerFrame(body: Buffer, response: ServerResponse, server: FrameServer): void {
  try {
    const kind = requestKind(body);
    if (kind === "invalidations") sendFrame(response, server.invalidations(body));
    else if (kind === "entries") sendFrame(response, server.entries(body));
    else if (kind === "cancellation") {
      server.cancellation(body);
      response.writeHead(204).end();
    } else answerLookups(body, response, server);
  } catch (error) {
    const typed = isParsecError(error)
      ? error
      : new ParsecError("INVALID_ARGUMENT", "the frame could not be answered", { cause: error });
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
