import type { Socket } from "node:net";
import type { ChannelCredentials } from "@grpc/grpc-js";

/**
 * The sockets of one gRPC client. Closing the client leaves those open that are still shaking hands,
 * such as with a process that was stopped; each attempt to reach it would cost one.
 */
export class TrackedSockets {
  readonly #sockets: Set<Socket> = new Set();
  #destroyed = false;

  /** Has every connection made with these credentials, which are the client's alone, noted here. */
  track(credentials: ChannelCredentials): ChannelCredentials {
    const createConnector = credentials._createSecureConnector.bind(credentials);
    credentials._createSecureConnector = (target, options, callCredentials) => {
      const connector = createConnector(target, options, callCredentials);
      return {
        connect: (socket) => {
          this.#note(socket);
          return connector.connect(socket);
        },
        waitForReady: () => connector.waitForReady(),
        getCallCredentials: () => connector.getCallCredentials(),
        destroy: () => connector.destroy(),
      };
    };
    return credentials;
  }

  #note(socket: Socket): void {
    if (this.#destroyed) socket.destroy();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  /** Closes what the client left open, once it had the time to say goodbye. */
  destroy(): void {
    this.#destroyed = true;
    setImmediate(() => {
      for (const socket of this.#sockets) socket.destroy();
    });
  }
}
