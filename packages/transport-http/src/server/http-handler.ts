import type { IncomingMessage, ServerResponse } from "node:http";
import { ParsecError, type PeerHost } from "@parsec/core";
import { createFrameServer, type FrameServer } from "@parsec/core/transport";
import { createSignatureVerifier, type SignatureClaim } from "../http-auth.ts";
import type { ResolvedHttpOptions } from "../http-options.ts";
import { frameContentType, parseTarget, statusOf } from "../http-wire.ts";
import { Admissions } from "./http-admission.ts";
import { BodyReaders } from "./http-body.ts";
import { answerFrame } from "./http-frame-endpoint.ts";
import { answerGet, sendText } from "./http-get-endpoint.ts";
import { type RequestHead, readHead } from "./http-head.ts";
import { refuse } from "./http-responses.ts";

/** Part of an `IncomingMessage` of Node, which the handler needs in full: its type needs no `@types/node`. */
export interface HttpPeersRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly rawHeaders: readonly string[];
}

/** Part of the `ServerResponse` of Node that belongs to the request. */
export interface HttpPeersResponse {
  readonly headersSent: boolean;
  writeHead(status: number): unknown;
  end(): unknown;
}

/** A request listener for Node's servers, and a middleware for Express: what is not for peers goes to `next`. */
export type HttpPeersHandler = (
  request: HttpPeersRequest,
  response: HttpPeersResponse,
  next?: (error?: unknown) => void,
) => void;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** As it stands in the request line. */
  readonly target: string;
  readonly head: RequestHead;
  readonly claim: SignatureClaim | undefined;
}

/** The server side of a node: decides who may ask, and passes on what is asked. */
export class HttpHandler {
  readonly #options: ResolvedHttpOptions;
  readonly #admissions: Admissions;
  readonly #bodies: BodyReaders;
  /** Answers that wait for an origin. */
  readonly #waiting: Set<ServerResponse> = new Set();
  #host: PeerHost | undefined = undefined;
  #frames: FrameServer | undefined = undefined;
  #closed = false;
  #onEmpty: (() => void)[] = [];

  constructor(options: ResolvedHttpOptions) {
    this.#options = options;
    const { membership, secrets, requireClientCertificate, insecure, limits } = options;
    const verifier =
      secrets.length === 0
        ? undefined
        : createSignatureVerifier({
            secrets,
            receiver: membership.selfId,
            windowMs: limits.maxClockSkewMs,
            wallNow: Date.now,
          });
    const { host, hostname } = new URL(membership.selfId);
    const hostnames = new Set([host, hostname]);
    this.#admissions = new Admissions({ verifier, requireClientCertificate, insecure, hostnames });
    this.#bodies = new BodyReaders({
      maxBytes: limits.maxFrameBytes,
      timeoutMs: limits.bodyTimeoutMs,
      clock: options.clock,
      onLeft: () => this.#checkEmpty(),
    });
  }

  attach(host: PeerHost): void {
    if (this.#host !== undefined) {
      throw new ParsecError("INVALID_ARGUMENT", "these peers serve another cache already");
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
    // Express cuts what it mounted under off `url`; peers and signatures know the whole.
    const { originalUrl } = request as IncomingMessage & { readonly originalUrl?: unknown };
    const target = typeof originalUrl === "string" ? originalUrl : (request.url ?? "");
    const addressed = parseTarget(target, this.#options);
    if (addressed.kind === "outside") {
      if (next !== undefined) next();
      else {
        const message = `peers are served under ${this.#options.basePath}`;
        refuse(response, { status: 404, code: "INVALID_ARGUMENT", message });
      }
      return;
    }
    const head = readHead(request.rawHeaders);
    const admission = this.#admissions.admit(request, head);
    if (admission.refusal !== undefined) {
      refuse(response, {
        status: 401,
        code: "UNAUTHENTICATED",
        message: admission.refusal,
        closes: request.method !== "GET",
      });
      return;
    }
    const exchange = { request, response, target, head, claim: admission.claim };
    const allow = addressed.kind === "base" ? "GET, POST" : "GET";
    if (request.method === "GET") this.#get(exchange, addressed);
    else if (request.method === "POST" && addressed.kind === "base") this.#post(exchange);
    else {
      const message = `the method ${request.method} is not served here, only ${allow}`;
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
    if (!this.#isProved(exchange, undefined)) return;
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
      const message = `the body must be ${frameContentType}, without content-encoding`;
      refuse(response, { status: 415, code: "MALFORMED_FRAME", message, closes: true });
      return;
    }
    if (this.#hostFor(response) === undefined) return;
    this.#bodies.read(request, head.contentLength, (error, body) => {
      if (error !== undefined) refuseBody(response, error);
      else if (this.#isProved(exchange, body)) {
        answerFrame(body, response, this.#frames as FrameServer);
        if (!response.writableEnded) this.#track(response);
      }
      this.#checkEmpty();
    });
  }

  #isProved(exchange: Exchange, body: Buffer | undefined): boolean {
    const { request, response, target, claim } = exchange;
    const parts = { method: request.method ?? "", target, body };
    if (this.#admissions.proves(claim, parts)) return true;
    const message = "the signature does not fit the request, or was used before";
    refuse(response, { status: 401, code: "UNAUTHENTICATED", message });
    return false;
  }

  /** The cache to ask; says so and returns undefined when there is none, or too much to do. */
  #hostFor(response: ServerResponse): PeerHost | undefined {
    if (this.#closed || this.#host === undefined) {
      const message = this.#closed ? "this node is closing" : "this node has no cache yet";
      refuse(response, { status: 503, code: "CLOSED", message, closes: true });
      return undefined;
    }
    const underWay = this.#waiting.size + this.#bodies.count;
    if (underWay >= this.#options.limits.maxRequests) {
      const message = `${underWay} requests are under way`;
      refuse(response, { status: 503, code: "OVERLOADED", message, closes: true });
      return undefined;
    }
    return this.#host;
  }

  #track(response: ServerResponse): void {
    this.#waiting.add(response);
    response.once("close", () => {
      this.#waiting.delete(response);
      this.#checkEmpty();
    });
  }

  #checkEmpty(): void {
    if (this.#waiting.size + this.#bodies.count > 0) return;
    for (const resolve of this.#onEmpty) resolve();
    this.#onEmpty = [];
  }

  /** Refuses what comes from now on, and lets what is under way finish until the time is over. */
  async close(): Promise<void> {
    this.#closed = true;
    const { clock, closeTimeoutMs } = this.#options;
    const closed = new ParsecError("CLOSED", "this node was closed");
    const cancelTimer = clock.schedule(closeTimeoutMs, () => {
      this.#bodies.close(closed);
      for (const response of this.#waiting) response.destroy();
    });
    await new Promise<void>((resolve) => {
      this.#onEmpty.push(resolve);
      this.#checkEmpty();
    });
    cancelTimer();
    this.#bodies.close(closed);
  }
}

/** A body that somebody else has read is this server's fault, one that does not come the asker's. */
function refuseBody(response: ServerResponse, { code, message }: ParsecError): void {
  const status = code === "TIMEOUT" ? 408 : code === "INVALID_ARGUMENT" ? 500 : statusOf(code);
  refuse(response, { status, code, message, closes: true });
}

function isFrame(contentType: string): boolean {
  if (contentType === frameContentType) return true;
  return contentType.split(";", 1)[0]?.trim().toLowerCase() === frameContentType;
}
