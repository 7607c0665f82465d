import type { ServerWritableStream } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import { NotFound } from "../grpc-errors.ts";
import {
  decodeHealthCheckRequest,
  encodeHealthCheckResponse,
  type ServingStatus,
} from "../grpc-protobuf.ts";

type Watcher = ServerWritableStream<Buffer, Buffer>;

/** Known services: one for the process, the others for whether it answers peers. */
const processService = "liveness";
const peerServices: ReadonlySet<string> = new Set([
  "",
  "readiness",
  "parsec.v1.Peers",
  "groupcachepb.GroupCache",
]);

/**
 * grpc.health.v1: `""`, `"readiness"` and the names of the services report whether this node answers
 * its peers; `"liveness"` is SERVING as long as the process runs.
 */
export class HealthEndpoint {
  readonly #maxWatchers: number;
  readonly #watchers: Map<Watcher, string> = new Map();
  #serving = false;

  constructor(options: { readonly maxWatchers: number }) {
    this.#maxWatchers = options.maxWatchers;
  }

  /** Notifies the watchers of a change. */
  set serving(serving: boolean) {
    if (serving === this.#serving) return;
    this.#serving = serving;
    for (const [watcher, service] of this.#watchers) {
      if (peerServices.has(service)) this.#send(watcher, service);
    }
  }

  /** Whether any client watches. */
  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** Answers a check. Throws `MALFORMED_FRAME`, or {@link NotFound} for an unknown service. */
  check(request: Buffer): Buffer {
    const status = this.#statusOf(decodeHealthCheckRequest(request));
    if (status === "SERVICE_UNKNOWN") throw new NotFound("unknown service");
    return encodeHealthCheckResponse(status);
  }

  /**
   * Sends the status at once and after each change. For an unknown service the stream stays open, as
   * grpc.health.v1 requires. Throws `OVERLOADED` or `MALFORMED_FRAME`.
   */
  watch(call: Watcher): void {
    if (this.#watchers.size >= this.#maxWatchers) {
      const message = `this node has ${this.#watchers.size} health watchers (limits.maxStreams)`;
      throw new ParsecError("OVERLOADED", message);
    }
    const service = decodeHealthCheckRequest(call.request);
    this.#watchers.set(call, service);
    const leave = (): void => void this.#watchers.delete(call);
    call.on("cancelled", leave);
    call.on("close", leave);
    this.#send(call, service);
  }

  /** Ends the streams of all watchers. */
  close(): void {
    for (const watcher of this.#watchers.keys()) watcher.end();
    this.#watchers.clear();
  }

  #statusOf(service: string): ServingStatus {
    if (service === processService) return "SERVING";
    if (!peerServices.has(service)) return "SERVICE_UNKNOWN";
    return this.#serving ? "SERVING" : "NOT_SERVING";
  }

  #send(watcher: Watcher, service: string): void {
    watcher.write(encodeHealthCheckResponse(this.#statusOf(service)));
  }
}
