import { isIP, type Socket } from "node:net";
import type { ChannelCredentials } from "@grpc/grpc-js";

/**
 * The sockets of one gRPC client. Closing the client leaks those whose handshake is not complete, such
 * as with a suspended process: one for each attempt to reach it.
 */
export class TrackedSockets {
  readonly #sockets: Set<Socket> = new Set();
  #destroyed = false;

  /** Tracks every connection made with these credentials, which must not be shared between clients. */
  track(credentials: ChannelCredentials): ChannelCredentials {
    const createConnector = credentials._createSecureConnector.bind(credentials);
    credentials._createSecureConnector = (target, options, callCredentials) => {
      const connector = createConnector(target, options, callCredentials);
      omitAddressAsServerName(connector);
      return {
        connect: (socket) => {
          this.#add(socket);
          return connector.connect(socket);
        },
        waitForReady: () => connector.waitForReady(),
        getCallCredentials: () => connector.getCallCredentials(),
        destroy: () => connector.destroy(),
      };
    };
    return credentials;
  }

  #add(socket: Socket): void {
    if (this.#destroyed) socket.destroy();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  /** Destroys the remaining sockets, one turn later so that the client can send its GOAWAY. */
  destroy(): void {
    this.#destroyed = true;
    setImmediate(() => {
      for (const socket of this.#sockets) socket.destroy();
    });
  }
}

/**
 * gRPC sends an IP address as the TLS server name, which RFC 6066 forbids and Node warns of (DEP0123). Without a
 * server name, Node still checks that the certificate is for the address, which is the host of the connection.
 */
function omitAddressAsServerName(connector: object): void {
  const { connectionOptions } = connector as {
    readonly connectionOptions?: { host?: string; servername?: string };
  };
  if (
    connectionOptions?.host === connectionOptions?.servername &&
    isIP(connectionOptions?.servername ?? "") !== 0
  ) {
    (connectionOptions as { servername?: string }).servername = "";
  }
}
