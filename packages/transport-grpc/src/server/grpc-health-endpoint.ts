import type { ServerWritableStream } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import { NotFound } from "../grpc-errors.ts";
import {
  decodeHealthCheckRequest,
  encodeHealthCheckResponse,
  type ServingStatus,
} from "../grpc-protobuf.ts";

type Watcher = ServerWritableStream<Buffer, Buffer>;

/** What may be asked about: the process alone, or whether it answers peers. */
const aboutProcess = "liveness";
const aboutPeers: ReadonlySet<string> = new Set([
  "",
  "readiness",
  "parsec.v1.Peers",
  "groupcachepb.GroupCache",
]);

/**
 * grpc.health.v1: `""`, `"readiness"` and the names of the services say whether this node answers
 * its peers, `"liveness"` whether it runs at all, which it says as long as it can.
 */
export class HealthEndpoint {
  readonly #maxWatchers: number;
  readonly #watchers: Map<Watcher, string> = new Map();
  #serving = false;

  constructor(options: { readonly maxWatchers: number }) {
    this.#maxWatchers = options.maxWatchers;
  }

  /** Tells the watchers when it changes. */
  set serving(serving: boolean) {
    if (serving === this.#serving) return;
    this.#serving = serving;
    for (const [watcher, service] of this.#watchers) {
      if (aboutPeers.has(service)) this.#send(watcher, service);
    }
  }

  /** The answer to a check. Throws `MALFORMED_FRAME`, or {@link NotFound}. */
  check(request: Buffer): Buffer {
    const status = this.#statusOf(decodeHealthCheckRequest(request));
    if (status === "SERVICE_UNKNOWN") throw new NotFound("unknown service");
    return encodeHealthCheckResponse(status);
  }

  /** Says how it stands, at once and after each change. An unknown service might become known, so its stream stays open. */
  watch(call: Watcher): void {
    if (this.#watchers.size >= this.#maxWatchers) {
      const message = `${this.#watchers.size} streams watch the health of this node`;
      throw new ParsecError("OVERLOADED", message);
    }
    const service = decodeHealthCheckRequest(call.request);
    this.#watchers.set(call, service);
    const leave = (): void => void this.#watchers.delete(call);
    call.on("cancelled", leave);
    call.on("close", leave);
    this.#send(call, service);
  }

  /** Ends the watchers' streams. */
  close(): void {
    for (const watcher of this.#watchers.keys()) watcher.end();
    this.#watchers.clear();
  }

  #statusOf(service: string): ServingStatus {
    if (service === aboutProcess) return "SERVING";
    if (!aboutPeers.has(service)) return "SERVICE_UNKNOWN";
    return this.#serving ? "SERVING" : "NOT_SERVING";
  }

  #send(watcher: Watcher, service: string): void {
    watcher.write(encodeHealthCheckResponse(this.#statusOf(service)));
  }
}
