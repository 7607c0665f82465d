import { isParsecError, ParsecError } from "@parsec/core";
import type { FrameExchange, OutgoingFrame } from "@parsec/core/transport";
import type { Dispatcher } from "undici/index.js";
import {
  type FailedResponse,
  maxErrorBytes,
  refusedFrame,
  unreachable,
  wasConnectionLost,
} from "../http-errors.ts";
import { frameContentType } from "../http-wire.ts";
import type { HttpConnections } from "./http-connections.ts";

const cancelled: ParsecError = new ParsecError("ABORTED", "request cancelled: no waiters left");

/** One frame of lookups sent as a POST, whose answers are passed on as they arrive. */
export class FrameRequest implements FrameExchange, Dispatcher.DispatchHandler {
  readonly #peerId: string;
  readonly #target: string;
  readonly #connections: HttpConnections;
  readonly #frame: OutgoingFrame;
  #controller: Dispatcher.DispatchController | undefined = undefined;
  #cancelled = false;
  #heard = false;
  #retried = false;
  #status = 0;
  #headers: FailedResponse["headers"] = {};
  /** The body of an error response; undefined while the response is a frame. */
  #errorBody: Buffer[] | undefined = undefined;

  constructor(
    frame: OutgoingFrame,
    peer: {
      readonly peerId: string;
      readonly target: string;
      readonly connections: HttpConnections;
    },
  ) {
    this.#frame = frame;
    this.#peerId = peer.peerId;
    this.#target = peer.target;
    this.#connections = peer.connections;
    this.#dispatch();
  }

  #dispatch(): void {
    this.#connections.dispatch(
      {
        method: "POST",
        target: this.#target,
        body: this.#frame.bytes,
      },
      this,
    );
  }

  cancel(): void {
    this.#cancelled = true;
    this.#controller?.abort(cancelled);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#cancelled) controller.abort(cancelled);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: FailedResponse["headers"],
  ): void {
    // 102 and 103, such as a proxy sends: the answer is still to come.
    if (status < 200) return;
    this.#heard = true;
    this.#status = status;
    this.#headers = headers;
    if (status === 200 && headers["content-type"] === frameContentType) this.#frame.heard();
    else this.#errorBody = [];
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#errorBody !== undefined) {
      // The first chunk holds the error; the rest is ignored.
      if (this.#errorBody.length === 0) this.#errorBody.push(chunk.subarray(0, maxErrorBytes));
      return;
    }
    try {
      this.#frame.receive(chunk);
    } catch (error) {
      this.#cancelled = true;
      this.#frame.fail(unreachable(this.#peerId, error));
      controller.abort(cancelled);
    }
  }

  onResponseEnd(): void {
    if (this.#cancelled) return;
    if (this.#errorBody !== undefined) {
      const body = Buffer.concat(this.#errorBody);
      const response = { status: this.#status, headers: this.#headers, body };
      this.#frame.fail(refusedFrame(this.#peerId, response));
      return;
    }
    try {
      this.#frame.finish();
    } catch (error) {
      this.#frame.fail(unreachable(this.#peerId, error));
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#cancelled) return;
    if (!this.#heard && !this.#retried && wasConnectionLost(error)) {
      // The peer closed the idle connection. Lookups are idempotent, so retry once.
      this.#retried = true;
      this.#dispatch();
      return;
    }
    this.#frame.fail(isParsecError(error) ? error : unreachable(this.#peerId, error));
  }
}
