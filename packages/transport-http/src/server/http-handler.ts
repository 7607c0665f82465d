import type { IncomingMessage, ServerResponse } from "node:http";
import { ParsecError } from "@parsec/core";
import {
  createFrameServer,
  createRequestVerifier,
  type FrameServer,
  type ServedHost,
  type VerifiedRequest,
} from "@parsec/core/transport";
import type { ResolvedHttpOptions } from "../http-options.ts";
import { frameContentType, parseTarget, statusOf } from "../http-wire.ts";
import { Admissions } from "./http-admission.ts";
import { BodyReaders } from "./http-body.ts";
import { answerFrame } from "./http-frame-endpoint.ts";
import { answerGet, sendText } from "./http-get-endpoint.ts";
import { type RequestHead, readHead } from "./http-head.ts";
import { refuse } from "./http-responses.ts";

/** Node's `IncomingMessage`, typed without `@types/node`. Pass the complete object. */
export interface HttpPeersRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly rawHeaders: readonly string[];
}

/** Node's `ServerResponse`, typed without `@types/node`. Pass the complete object. */
export interface HttpPeersResponse {
  readonly headersSent: boolean;
  writeHead(status: number): unknown;
  end(): unknown;
}

/**
 * A request listener for `node:http` and `node:https`, and a middleware for Express. Requests outside of
 * `basePath` are passed to `next`, or get a 404 without it.
 */
export type HttpPeersHandler = (
  request: HttpPeersRequest,
  response: HttpPeersResponse,
  next?: (error?: unknown) => void,
) => void;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly head: RequestHead;
  /** Undefined when no signature is required. */
  readonly verified: VerifiedRequest | undefined;
}

/** The server side of a node: authenticates requests and passes them to the endpoints. */
export class HttpHandler {
  readonly #options: ResolvedHttpOptions;
  readonly #admissions: Admissions;
  readonly #bodies: BodyReaders;
  /** Responses that are not complete. */
  readonly #pending: Set<ServerResponse> = new Set();
  #host: ServedHost | undefined = undefined;
  #frames: FrameServer | undefined = undefined;
  #closed = false;
  #onEmpty: (() => void)[] = [];

  constructor(options: ResolvedHttpOptions) {
    this.#options = options;
    const { membership, secrets, limits } = options;
    const verifier =
      secrets.length === 0
        ? undefined
        : createRequestVerifier({
            secrets,
            receiver: membership.selfId,
            windowMs: limits.maxClockSkewMs,
            wallNow: Date.now,
          });
    const hostnames = new Set([new URL(membership.selfId).hostname]);
    this.#admissions = new Admissions({ ...options, verifier, hostnames });
    this.#bodies = new BodyReaders({
      maxBytes: limits.maxFrameBytes,
      timeoutMs: limits.bodyTimeoutMs,
      clock: options.clock,
      onDisconnect: () => this.#checkEmpty(),
    });
  }

  attach(host: ServedHost): void {
    if (this.#host !== undefined) {
      throw new ParsecError("INVALID_ARGUMENT", "peers are already attached to another cache");
    }
    const { limits, sender } = this.#options;
    this.#host = host;
    this.#frames = createFrameServer({ host, limits, sender });
  }

  handle(
    request: IncomingMessage,
    response: ServerResponse,
    next?: (error?: unknown) => void,
  ): void {
    // Express strips the mount path from `url`; signatures cover the whole target.
    const { originalUrl } = request as IncomingMessage & { readonly originalUrl?: unknown };
    const target = typeof originalUrl === "string" ? originalUrl : (request.url ?? "");
    const addressed = parseTarget(target, this.#options);
    if (addressed.kind === "outside") {
      if (next !== undefined) next();
      else {
        const message = `path must be under basePath ${this.#options.basePath}`;
        refuse(response, { status: 404, code: "INVALID_ARGUMENT", message });
      }
      return;
    }
    const head = readHead(request.rawHeaders);
    const admission = this.#admissions.admit(request, { target, head });
    if (admission.refusal !== undefined) {
      refuse(response, {
        status: 401,
        code: "UNAUTHENTICATED",
        message: admission.refusal,
        closes: request.method !== "GET",
      });
      return;
    }
    const exchange = { request, response, head, verified: admission.verified };
    const allow = addressed.kind === "base" ? "GET, POST" : "GET";
    if (request.method === "GET") this.#get(exchange, addressed);
    else if (request.method === "POST" && addressed.kind === "base") this.#post(exchange);
    else {
      const message = `method must be one of ${allow}, got ${request.method}`;
      refuse(response, {
        status: 405,
        code: "INVALID_ARGUMENT",
        message,
        headers: { allow },
        closes: true,
      });
    }
  }

  #get(
    exchange: Exchange,
    addressed: Exclude<ReturnType<typeof parseTarget>, { kind: "outside" }>,
  ): void {
    const { response, head } = exchange;
    if (!this.#isSigned(exchange, undefined)) return;
    const host = this.#hostFor(response);
    if (host === undefined) return;
    if (addressed.kind === "base") response.writeHead(204).end();
    else if (addressed.kind === "malformed") {
      sendText(response, { status: 400, code: "INVALID_KEY", text: "bad request" });
    } else {
      this.#track(response);
      const { group, key } = addressed;
      void answerGet({ group, key, head }, response, { host, limits: this.#options.limits });
    }
  }

  #post(exchange: Exchange): void {
    const { request, response, head } = exchange;
    if (!isFrame(head.contentType) || (head.contentEncoding ?? "identity") !== "identity") {
      const message = `content-type must be ${frameContentType}, without content-encoding`;
      refuse(response, { status: 415, code: "MALFORMED_FRAME", message, closes: true });
      return;
    }
    if (this.#hostFor(response) === undefined) return;
    this.#bodies.read(request, head.contentLength, (error, body) => {
      if (error !== undefined) refuseBody(response, error);
      else if (this.#isSigned(exchange, body)) {
        answerFrame(body, response, this.#frames as FrameServer);
        if (!response.writableEnded) this.#track(response);
      }
      this.#checkEmpty();
    });
  }

  #isSigned({ response, verified }: Exchange, body: Buffer | undefined): boolean {
    if (this.#admissions.isSigned(verified, body)) return true;
    const message = "the body does not match its signature";
    refuse(response, { status: 401, code: "UNAUTHENTICATED", message });
    return false;
  }

  /** The attached cache. Responds with 503 and returns undefined when there is none, or this node is closing or overloaded. */
  #hostFor(response: ServerResponse): ServedHost | undefined {
    if (this.#closed || this.#host === undefined) {
      const message = this.#closed ? "this node is closing" : "no cache is attached yet";
      refuse(response, { status: 503, code: "CLOSED", message, closes: true });
      return undefined;
    }
    const pending = this.#pending.size + this.#bodies.count;
    if (pending >= this.#options.limits.maxRequests) {
      const message = `this node has ${pending} pending requests (limits.maxRequests)`;
      refuse(response, { status: 503, code: "OVERLOADED", message, closes: true });
      return undefined;
    }
    return this.#host;
  }

  #track(response: ServerResponse): void {
    this.#pending.add(response);
    response.once("close", () => {
      this.#pending.delete(response);
      this.#checkEmpty();
    });
  }

  #checkEmpty(): void {
    if (this.#pending.size + this.#bodies.count > 0) return;
    for (const resolve of this.#onEmpty) resolve();
    this.#onEmpty = [];
  }

  /** Refuses new requests, and lets pending ones finish for up to `closeTimeoutMs`. */
  async close(): Promise<void> {
    this.#closed = true;
    const { clock, closeTimeoutMs } = this.#options;
    const closed = new ParsecError("CLOSED", "this node was closed");
    const cancelTimer = clock.schedule(closeTimeoutMs, () => {
      this.#bodies.close(closed);
      for (const response of this.#pending) response.destroy();
    });
    await new Promise<void>((resolve) => {
      this.#onEmpty.push(resolve);
      this.#checkEmpty();
    });
    cancelTimer();
    this.#bodies.close(closed);
  }
}

/** Responds with 500 when a body parser has read the body, which is a mistake of this server, and with 408 when it did not arrive. */
function refuseBody(response: ServerResponse, { code, message }: ParsecError): void {
  const status = code === "TIMEOUT" ? 408 : code === "INVALID_ARGUMENT" ? 500 : statusOf(code);
  refuse(response, { status, code, message, closes: true });
}

function isFrame(contentType: string): boolean {
  if (contentType === frameContentType) return true;
  return contentType.split(";", 1)[0]?.trim().toLowerCase() === frameContentType;
}
