import {
  Metadata,
  type Server,
  type ServerDuplexStream,
  type ServerInterceptor,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import {
  createFrameServer,
  createRequestVerifier,
  type FrameServer,
  type ServedHost,
} from "@parsec/core/transport";
import { SignedCall } from "../grpc-auth.ts";
import { statusOf } from "../grpc-errors.ts";
import type { ResolvedGrpcOptions } from "../grpc-options.ts";
import { StreamSeal } from "../grpc-seal.ts";
import { addressOf } from "../grpc-urls.ts";
import { messageMethods } from "../grpc-wire.ts";
import { type Admission, Admissions, setAnswerMac } from "./grpc-admission.ts";
import { FrameEndpoint } from "./grpc-frame-endpoint.ts";
import { answerGet } from "./grpc-get-endpoint.ts";
import { HealthEndpoint } from "./grpc-health-endpoint.ts";
import { RefusalLog } from "./grpc-refusals.ts";
import { answerLookup, applyInvalidations, takeEntries } from "./grpc-unary-endpoint.ts";
import { Workload } from "./grpc-workload.ts";

type UnaryCall = ServerUnaryCall<Buffer, Buffer>;
type UnaryCallback = sendUnaryData<Buffer>;

/** The attached cache, and the server of its frames. */
interface Owner {
  readonly host: ServedHost;
  readonly frames: FrameServer;
}

const noBytes: Buffer = Buffer.alloc(0);

/**
 * How long connections stay open after their streams have ended. Since Node 24, clients that receive the
 * status of a call together with the end of the connection report `UNAVAILABLE` instead.
 */
const lingerMs = 20;

/** The server side of a node: authenticates calls and passes them to the endpoints. */
export class GrpcHandler {
  readonly #options: ResolvedGrpcOptions;
  readonly #admissions: Admissions;
  readonly #health: HealthEndpoint;
  readonly #workload: Workload;
  readonly #streams: Set<FrameEndpoint> = new Set();
  #owner: Owner | undefined = undefined;
  #closing = false;

  constructor(options: ResolvedGrpcOptions) {
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
    const refusals = new RefusalLog(options);
    const hostnames = new Set([addressOf(membership.selfId).host]);
    this.#admissions = new Admissions({ ...options, verifier, hostnames, refusals });
    this.#health = new HealthEndpoint({ maxWatchers: limits.maxStreams });
    this.#workload = new Workload(limits.maxRequests);
  }

  attach(host: ServedHost): void {
    if (this.#owner !== undefined) {
      throw new ParsecError("INVALID_ARGUMENT", "peers are already attached to another cache");
    }
    const { limits, sender } = this.#options;
    this.#owner = { host, frames: createFrameServer({ host, limits, sender }) };
    this.#health.serving = !this.#closing;
  }

  /** For a server with these services only. */
  get interceptor(): ServerInterceptor {
    return this.#admissions.interceptor;
  }

  /** Adds the services. Throws `INVALID_ARGUMENT` when the server already has one of them. */
  addTo(server: Server, options: { readonly health: boolean }): void {
    const { exchange, lookup, invalidate, handOver, ping, get, check, watch } = messageMethods;
    try {
      server.addService(
        { exchange, lookup, invalidate, handOver, ping },
        {
          exchange: (call: ServerDuplexStream<Buffer, Buffer>) => this.#exchange(call),
          lookup: (call: UnaryCall, callback: UnaryCallback) => this.#lookup(call, callback),
          invalidate: (call: UnaryCall, callback: UnaryCallback) =>
            this.#invalidate(call, callback),
          handOver: (call: UnaryCall, callback: UnaryCallback) => this.#takeOver(call, callback),
          ping: (call: UnaryCall, callback: UnaryCallback) => this.#ping(call, callback),
        },
      );
      server.addService(
        { get },
        { get: (call: UnaryCall, callback: UnaryCallback) => this.#get(call, callback) },
      );
      if (!options.health) return;
      server.addService(
        { check, watch },
        {
          check: (call: UnaryCall, callback: UnaryCallback) => this.#check(call, callback),
          watch: (call: ServerWritableStream<Buffer, Buffer>) => this.#watch(call),
        },
      );
    } catch (error) {
      const message =
        "server already has one of these services; pass { health: false } if it has its own health check";
      throw new ParsecError("INVALID_ARGUMENT", message, { cause: error });
    }
  }

  #exchange(call: ServerDuplexStream<Buffer, Buffer>): void {
    try {
      const { verified } = this.#admissions.admit(call);
      const { frames } = this.#requireOwner();
      if (this.#streams.size >= this.#options.limits.maxStreams) {
        throw new ParsecError(
          "OVERLOADED",
          `this node has ${this.#streams.size} open streams (limits.maxStreams)`,
        );
      }
      const seal = verified && new StreamSeal(new SignedCall(verified), "owner");
      const endpoint = new FrameEndpoint(call, seal, {
        frames,
        workload: this.#workload,
        refusal: () => this.#refusal(),
        tampered: () => this.#admissions.tampered(call),
      });
      this.#streams.add(endpoint);
      call.on("close", () => this.#streams.delete(endpoint));
      // Tells the client that the stream is open before the first answer.
      call.sendMetadata(new Metadata());
    } catch (error) {
      call.emit("error", statusOf(error));
    }
  }

  #lookup(call: UnaryCall, callback: UnaryCallback): void {
    this.#unary(call, callback, ({ frames }) => answerLookup(call, frames, this.#options.limits));
  }

  #invalidate(call: UnaryCall, callback: UnaryCallback): void {
    this.#unary(call, callback, ({ frames }) => applyInvalidations(call.request, frames));
  }

  #takeOver(call: UnaryCall, callback: UnaryCallback): void {
    this.#unary(call, callback, ({ frames }) => takeEntries(call.request, frames));
  }

  #ping(call: UnaryCall, callback: UnaryCallback): void {
    this.#unary(call, callback, () => noBytes);
  }

  /** Answers a unary call with bytes, signed when there is a secret. */
  #unary(
    call: UnaryCall,
    callback: UnaryCallback,
    answer: (owner: Owner) => Buffer | Promise<Buffer>,
  ): void {
    this.#perform(call, callback, async (owner, { verified }) => {
      const bytes = await answer(owner);
      const metadata = new Metadata();
      setAnswerMac(metadata, verified, bytes);
      call.sendMetadata(metadata);
      callback(null, bytes);
    });
  }

  #get(call: UnaryCall, callback: UnaryCallback): void {
    const { limits } = this.#options;
    this.#perform(call, callback, ({ host }) => answerGet(call, callback, { host, limits }));
  }

  /** Admits the call, and counts it until the work is done. */
  #perform(
    call: UnaryCall,
    callback: UnaryCallback,
    work: (owner: Owner, admission: Admission) => Promise<void>,
  ): void {
    try {
      const admission = this.#admissions.admitMessage(call, call.request);
      const owner = this.#requireOwner();
      this.#workload.begin();
      work(owner, admission)
        .catch((error: unknown) => callback(statusOf(error)))
        .finally(() => this.#workload.end());
    } catch (error) {
      callback(statusOf(error));
    }
  }

  #check(call: UnaryCall, callback: UnaryCallback): void {
    try {
      this.#admissions.admitMessage(call, call.request);
      callback(null, this.#health.check(call.request));
    } catch (error) {
      callback(statusOf(error));
    }
  }

  #watch(call: ServerWritableStream<Buffer, Buffer>): void {
    try {
      this.#admissions.admitMessage(call, call.request);
      this.#health.watch(call);
    } catch (error) {
      call.emit("error", statusOf(error));
    }
  }

  /** The attached cache. Throws when there is none, or this node is closing or overloaded. */
  #requireOwner(): Owner {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    return this.#owner as Owner;
  }

  #refusal(): ParsecError | undefined {
    if (this.#closing) return new ParsecError("CLOSED", "this node is closing");
    if (this.#owner === undefined) return new ParsecError("CLOSED", "no cache is attached yet");
    if (!this.#workload.isFull) return undefined;
    return new ParsecError(
      "OVERLOADED",
      "this node has too many pending calls (limits.maxRequests)",
    );
  }

  /** Refuses new calls, and lets pending ones finish for up to `closeTimeoutMs`. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#health.serving = false;
    const { clock, closeTimeoutMs } = this.#options;
    let cancelTimer = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancelTimer = clock.schedule(closeTimeoutMs, resolve);
    });
    await Promise.race([this.#workload.idle(), late]);
    cancelTimer();
    const lingers = this.#streams.size > 0 || this.#health.isWatched;
    for (const stream of this.#streams) stream.end();
    this.#health.close();
    if (lingers) {
      await new Promise<void>((resolve) => void clock.schedule(lingerMs, resolve));
    }
  }
}
