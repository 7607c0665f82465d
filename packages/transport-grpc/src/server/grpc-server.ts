import { createServer, type Server as NetServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { Server } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import { serverCredentials } from "../grpc-credentials.ts";
import type { ResolvedGrpcOptions } from "../grpc-options.ts";
import { sealBytes } from "../grpc-seal.ts";
import { addressOf, hostAndPort } from "../grpc-urls.ts";
import type { GrpcHandler } from "./grpc-handler.ts";

/** Where a node listens. */
export interface GrpcAddress {
  readonly host: string;
  readonly port: number;
}

/** Calls on one connection at once. A peer needs a stream and a few signs of life. */
const maxCallsPerConnection = 1024;

const ipAddress = /^(?:\d{1,3}(?:\.\d{1,3}){3}|.*:.*)$/;

/**
 * A server of this package's own, which serves peers and nothing else. Takes its connections itself
 * and hands them to gRPC, which would lose sight of those that never speak HTTP/2.
 */
export class GrpcServer {
  readonly #options: ResolvedGrpcOptions;
  readonly #server: Server;
  readonly #listener: NetServer;
  readonly #sockets: Set<Socket> = new Set();

  /** Throws `INVALID_ARGUMENT` when `selfUrl` promises encryption and there is no certificate. */
  constructor(options: ResolvedGrpcOptions, handler: GrpcHandler) {
    this.#options = options;
    const { membership, tls, requireClientCertificate, limits, connections } = options;
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
    const secure = addressOf(membership.selfId).secure ?? tls !== undefined;
    const injector = this.#server.createConnectionInjector(
      serverCredentials(tls, { secure, requireClientCertificate }),
    );
    this.#listener = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      // What went wrong with a connection is known to the calls on it.
      socket.on("error", () => {});
      injector.injectConnection(socket);
    });
  }

  async listen(where: Partial<GrpcAddress>): Promise<GrpcAddress> {
    const self = addressOf(this.#options.membership.selfId);
    const host = where.host ?? hostToBind(self.host);
    const port = where.port ?? self.port;
    await new Promise<void>((resolve, reject) => {
      const fail = (error: Error): void => reject(cannotListen(hostAndPort(host, port), error));
      this.#listener.once("error", fail);
      this.#listener.listen(port, host, () => {
        this.#listener.off("error", fail);
        resolve();
      });
    });
    return this.address as GrpcAddress;
  }

  /** Undefined while it does not listen. */
  get address(): GrpcAddress | undefined {
    const address = this.#listener.address();
    if (address === null || typeof address === "string") return undefined;
    return { host: address.address, port: address.port };
  }

  /** Ends the connections in good order, or hard when the time is over. */
  async close(): Promise<void> {
    const { clock, closeTimeoutMs } = this.#options;
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    await new Promise<void>((resolve) => {
      const cancelTimer = clock.schedule(closeTimeoutMs, resolve);
      this.#server.tryShutdown(() => {
        cancelTimer();
        resolve();
      });
    });
    this.#server.forceShutdown();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** An address is bound as it is; behind a name, which may not resolve yet where it is, all of them. */
function hostToBind(host: string): string {
  if (host === "localhost" || ipAddress.test(host)) return host;
  const interfaces = Object.values(networkInterfaces()).flat();
  return interfaces.some((one) => one?.family === "IPv6") ? "::" : "0.0.0.0";
}

function cannotListen(address: string, cause: Error): ParsecError {
  const message = `cannot listen on ${address}: ${cause.message}`;
  return new ParsecError("INVALID_ARGUMENT", message, { cause });
}
