import { type Clock, ParsecError, type PeerTrace } from "@parsec/core";
import { abortedError } from "@parsec/core/authoring";
import { createRequestSigner, type RequestSigner, readPeerTrace } from "@parsec/core/transport";
// Imported by file, because Bun replaces the bare name with a stub that sends nothing.
import { type Dispatcher, Pool } from "undici/index.js";
import { type FailedResponse, unreachable } from "../http-errors.ts";
import type { ResolvedHttpOptions } from "../http-options.ts";
import { frameContentType, signedHead } from "../http-wire.ts";

/** Connections reserved for pings and invalidations, so that these never queue behind lookups. */
const controlConnections = 4;
/** Maximum number of requests on or waiting for the reserved connections. */
const maxControlRequests = 1024;

const noHeaders: string[] = [];
const frameHeaders: string[] = ["content-type", frameContentType];

/** A request to a peer. */
export interface PeerRequest {
  readonly method: "GET" | "POST";
  /** The raw target for the request line. */
  readonly target: string;
  /** An encoded frame. */
  readonly body?: Buffer;
  /** Trace context of a GET. Frames carry their own, one per lookup. */
  readonly trace?: PeerTrace | undefined;
}

/** A request whose response is collected in memory. */
export interface CollectedRequest extends PeerRequest {
  /** Maximum size of the response body. A larger one fails with `FRAME_TOO_LARGE`; an error response is truncated instead. */
  readonly maxBodyBytes: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Throws `INVALID_ARGUMENT` when a runtime or bundler has replaced undici with a stub. */
export function checkHttpClient(): void {
  if (typeof Pool.prototype?.dispatch === "function") return;
  throw new ParsecError(
    "INVALID_ARGUMENT",
    "createHttpPeers needs the npm package undici, which this runtime replaces with a stub: install it, or use createGrpcPeers of @parsec/transport-grpc",
  );
}

/** The connection pools to one peer. Signs requests when there is a secret. */
export class HttpConnections {
  readonly #peerId: string;
  readonly #clock: Clock;
  readonly #signer: RequestSigner | undefined;
  readonly #options: ResolvedHttpOptions;
  #lookups: Pool | undefined = undefined;
  #control: Pool | undefined = undefined;
  /** Pools that finish the requests in flight. */
  readonly #old: Set<Pool> = new Set();
  #closed = false;
  #controlRequests = 0;

  constructor(peerId: string, options: ResolvedHttpOptions) {
    this.#peerId = peerId;
    this.#clock = options.clock;
    const [secret] = options.secrets;
    this.#signer =
      secret === undefined
        ? undefined
        : createRequestSigner({ secret, receiver: peerId, wallNow: Date.now });
    this.#options = options;
  }

  /** Created on first use, because hundreds of peers may join at once, and a pool takes 100 µs. */
  get #lookupPool(): Pool {
    const { maxPerPeer } = this.#options.connections;
    this.#lookups ??= this.#createPool(maxPerPeer);
    return this.#lookups;
  }

  get #controlPool(): Pool {
    this.#control ??= this.#createPool(controlConnections);
    return this.#control;
  }

  get #pools(): Pool[] {
    return [...this.#old, this.#lookups, this.#control].filter((pool) => pool !== undefined);
  }

  #createPool(connections: number): Pool {
    const pool = createPool(this.#peerId, this.#options, connections);
    // Refuses every request.
    if (this.#closed) void pool.close();
    return pool;
  }

  /** Makes the next requests open new connections. Those in flight stay on the old ones. */
  renew(): void {
    for (const pool of [this.#lookups, this.#control]) {
      if (pool === undefined) continue;
      this.#old.add(pool);
      const forget = (): void => void this.#old.delete(pool);
      pool.close().then(forget, forget);
    }
    this.#lookups = undefined;
    this.#control = undefined;
  }

  /** Like {@link collect}, on a connection of its own: an idle one of a pool may be dead without an error. */
  async ping(request: CollectedRequest): Promise<FailedResponse> {
    const pool = this.#createPool(1);
    this.#old.add(pool);
    try {
      return await this.#collect(pool, request);
    } finally {
      this.#old.delete(pool);
      pool.destroy().catch(() => {});
    }
  }

  /** Sends a request whose response is streamed to the handler. */
  dispatch(request: PeerRequest, handler: Dispatcher.DispatchHandler): void {
    this.#lookupPool.dispatch(this.#dispatchOptions(request), handler);
  }

  /** Like {@link collect}, but on the connections for lookups. */
  collectLookup(request: CollectedRequest): Promise<FailedResponse> {
    return this.#collect(this.#lookupPool, request);
  }

  /**
   * Sends a request and collects its response, of any status. Rejects with `PEER_UNREACHABLE`,
   * `FRAME_TOO_LARGE`, `TIMEOUT`, `ABORTED` or `OVERLOADED`.
   */
  async collect(request: CollectedRequest): Promise<FailedResponse> {
    if (this.#controlRequests >= maxControlRequests) {
      const message = `${this.#peerId} has ${maxControlRequests} pending pings and invalidations`;
      throw new ParsecError("OVERLOADED", message);
    }
    this.#controlRequests++;
    try {
      return await this.#collect(this.#controlPool, request);
    } finally {
      this.#controlRequests--;
    }
  }

  /** Completes the accepted requests, then closes all connections. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#pools.map((pool) => pool.close()));
  }

  async destroy(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
  }

  #collect(pool: Pool, request: CollectedRequest): Promise<FailedResponse> {
    return new Promise((resolve, reject) => {
      const collector = new ResponseCollector(this.#peerId, request, {
        clock: this.#clock,
        resolve,
        reject,
      });
      if (!collector.ended) pool.dispatch(this.#dispatchOptions(request), collector);
    });
  }

  #dispatchOptions(request: PeerRequest): Dispatcher.DispatchOptions {
    const { method, target, body, trace } = request;
    let headers = body === undefined ? noHeaders : frameHeaders;
    if (trace !== undefined) headers = [...headers, ...traceHeaders(trace)];
    if (this.#signer !== undefined) {
      const { authorization } = this.#signer(signedHead(method, target), body);
      headers = [...headers, "authorization", authorization];
    }
    return { method, path: target, headers, body: body ?? null };
  }
}

/** The W3C trace headers of a GET; empty when the trace context is invalid. */
function traceHeaders(trace: PeerTrace): readonly string[] {
  const fit = readPeerTrace(trace);
  if (fit === undefined) return [];
  const { traceparent, tracestate } = fit;
  return tracestate === undefined
    ? ["traceparent", traceparent]
    : ["traceparent", traceparent, "tracestate", tracestate];
}

function createPool(peerId: string, options: ResolvedHttpOptions, connections: number): Pool {
  const { connectTimeoutMs, keepAliveMs } = options.connections;
  const { ca, cert, key, passphrase, serverName } = options.tls ?? {};
  return new Pool(peerId, {
    connections,
    // No pipelining, so that no request waits behind a slow one.
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    // Each lookup has a deadline and the liveness check detects dead peers, so undici's coarse timeouts are off.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: connectTimeoutMs,
      ...(ca === undefined ? {} : { ca: ca as string | Buffer | (string | Buffer)[] }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    },
  });
}

class ResponseCollector implements Dispatcher.DispatchHandler {
  readonly #peerId: string;
  readonly #request: CollectedRequest;
  readonly #resolve: (response: FailedResponse) => void;
  readonly #reject: (error: ParsecError) => void;
  readonly #cancelTimer: () => void;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #status = 0;
  #headers: FailedResponse["headers"] = {};
  #controller: Dispatcher.DispatchController | undefined = undefined;
  #failure: ParsecError | undefined = undefined;

  constructor(
    peerId: string,
    request: CollectedRequest,
    parts: {
      readonly clock: Clock;
      readonly resolve: (response: FailedResponse) => void;
      readonly reject: (error: ParsecError) => void;
    },
  ) {
    this.#peerId = peerId;
    this.#request = request;
    this.#resolve = parts.resolve;
    this.#reject = parts.reject;
    this.#cancelTimer = parts.clock.schedule(request.timeoutMs, () => {
      this.#end(
        new ParsecError(
          "TIMEOUT",
          `${peerId} did not answer within ${Math.round(request.timeoutMs)} ms`,
        ),
      );
    });
    const { signal } = request;
    if (signal?.aborted) this.handleEvent();
    else signal?.addEventListener("abort", this, { once: true });
  }

  get ended(): boolean {
    return this.#failure !== undefined;
  }

  handleEvent(): void {
    this.#end(abortedError(this.#request.signal));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.abort(this.#failure);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: FailedResponse["headers"],
  ): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const room = this.#request.maxBodyBytes - this.#bytes;
    if (chunk.length <= room) {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      return;
    }
    if (this.#status === 200) {
      const message = `the response must have at most ${this.#request.maxBodyBytes} bytes`;
      this.#end(new ParsecError("FRAME_TOO_LARGE", message));
    } else {
      this.#chunks.push(chunk.subarray(0, room));
      this.#complete();
      this.#controller?.abort(
        new ParsecError("FRAME_TOO_LARGE", "the rest of the error response is not needed"),
      );
    }
  }

  onResponseEnd(): void {
    this.#complete();
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#end(unreachable(this.#peerId, error));
  }

  #complete(): void {
    this.#release();
    this.#resolve({
      status: this.#status,
      headers: this.#headers,
      body: Buffer.concat(this.#chunks),
    });
  }

  #end(error: ParsecError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#release();
    this.#reject(error);
    this.#controller?.abort(error);
  }

  #release(): void {
    this.#cancelTimer();
    this.#request.signal?.removeEventListener("abort", this);
  }
}
