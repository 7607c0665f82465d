import { createServer, type Server as NetServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { Server } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import { serverCredentials } from "../grpc-credentials.ts";
import type { ResolvedGrpcOptions } from "../grpc-options.ts";
import { sealBytes } from "../grpc-seal.ts";
import { addressOf, hostAndPort } from "../grpc-urls.ts";
import type { GrpcHandler } from "./grpc-handler.ts";

/** The address on which a node listens. */
export interface GrpcAddress {
  /** IP address. */
  readonly host: string;
  /** TCP port. */
  readonly port: number;
}

/** Maximum number of calls on one connection. A peer needs one stream and a few pings and invalidations. */
const maxCallsPerConnection = 1024;

const ipAddress = /^(?:\d{1,3}(?:\.\d{1,3}){3}|.*:.*)$/;

/**
 * A gRPC server for peers only. Accepts connections itself and passes them to gRPC, which does not
 * track, and so never closes, those that do not send HTTP/2.
 */
export class GrpcServer {
  readonly #options: ResolvedGrpcOptions;
  readonly #server: Server;
  readonly #listener: NetServer;
  readonly #sockets: Set<Socket> = new Set();

  /** Throws `INVALID_ARGUMENT` when `selfUrl` is encrypted and there is no certificate. */
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
      // The calls on a connection report its errors.
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

  /** The bound address; undefined while not listening. */
  get address(): GrpcAddress | undefined {
    const address = this.#listener.address();
    if (address === null || typeof address === "string") return undefined;
    return { host: address.address, port: address.port };
  }

  /** Closes the connections gracefully, or destroys them after `closeTimeoutMs`. */
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

/** Binds an IP address as given. For a name, which may not resolve on this host, binds all interfaces. */
function hostToBind(host: string): string {
  if (host === "localhost" || ipAddress.test(host)) return host;
  const interfaces = Object.values(networkInterfaces()).flat();
  return interfaces.some((one) => one?.family === "IPv6") ? "::" : "0.0.0.0";
}

function cannotListen(address: string, cause: Error): ParsecError {
  const message = `cannot listen on ${address}: ${cause.message}`;
  return new ParsecError("INVALID_ARGUMENT", message, { cause });
}
