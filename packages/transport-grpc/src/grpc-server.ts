import { networkInterfaces } from "node:os";
import { Server } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import { serverCredentials } from "./grpc-credentials.ts";
import type { GrpcHandler } from "./grpc-handler.ts";
import type { ResolvedGrpcOptions } from "./grpc-options.ts";
import { sealBytes } from "./grpc-seal.ts";
import { addressOf, hostAndPort } from "./grpc-urls.ts";

/** Where a node listens. */
export interface GrpcAddress {
  readonly host: string;
  readonly port: number;
}

/** Calls on one connection at once. A peer needs a stream and a few signs of life. */
const maxCallsPerConnection = 1024;

const ipAddress = /^(?:\d{1,3}(?:\.\d{1,3}){3}|.*:.*)$/;

/** A server of this package's own, which serves peers and nothing else. */
export class GrpcServer {
  readonly #options: ResolvedGrpcOptions;
  readonly #server: Server;
  #address: GrpcAddress | undefined = undefined;

  constructor(options: ResolvedGrpcOptions, handler: GrpcHandler) {
    this.#options = options;
    const { limits, connections } = options;
    this.#server = new Server({
      interceptors: [handler.interceptor],
      "grpc.max_receive_message_length": limits.maxFrameBytes + sealBytes,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": maxCallsPerConnection,
      "grpc.keepalive_time_ms": connections.keepAliveMs,
      "grpc.keepalive_timeout_ms": connections.keepAliveTimeoutMs,
      "grpc.enable_channelz": 0,
    });
    handler.addTo(this.#server, { health: true });
  }

  get address(): GrpcAddress | undefined {
    return this.#address;
  }

  async listen(where: Partial<GrpcAddress>): Promise<GrpcAddress> {
    const { membership, tls, requireClientCertificate } = this.#options;
    const self = addressOf(membership.selfId);
    const host = where.host ?? hostToBind(self.host);
    const credentials = serverCredentials(tls, {
      secure: self.secure ?? tls !== undefined,
      requireClientCertificate,
    });
    const asked = hostAndPort(host, where.port ?? self.port);
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(asked, credentials, (error, bound) => {
        if (error === null) resolve(bound);
        else reject(cannotListen(asked, error));
      });
    });
    this.#address = { host, port };
    return this.#address;
  }

  /** Ends the connections in good order, or hard when the time is over. */
  async close(): Promise<void> {
    const { clock, closeTimeoutMs } = this.#options;
    const cancelTimer = clock.schedule(closeTimeoutMs, () => this.#server.forceShutdown());
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    cancelTimer();
    this.#address = undefined;
  }
}

/** An address is bound as it is; behind a name, which may not resolve yet where it is, all of them. */
function hostToBind(host: string): string {
  if (host === "localhost" || ipAddress.test(host)) return host;
  const interfaces = Object.values(networkInterfaces()).flat();
  return interfaces.some((one) => one?.family === "IPv6") ? "::" : "0.0.0.0";
}

function cannotListen(address: string, cause: Error): ParsecError {
  const reason = /E[A-Z]{4,}/.exec(cause.message)?.[0] ?? cause.message;
  return new ParsecError("INVALID_ARGUMENT", `cannot listen on ${address}: ${reason}`, { cause });
}
