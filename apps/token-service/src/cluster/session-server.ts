import { createServer, type Socket } from "node:net";
import { type ClientConnection, type ClientLimits, serveClient } from "./client-connection.ts";
import { fatalError } from "./protocol-messages.ts";
import type { SharedSession } from "./shared-session.ts";

/** Serves one session to many connections. */
export interface SessionServer {
  /** Closes all connections, and leaves the session idle. Idempotent. */
  close(): Promise<void>;
}

export interface SessionServerOptions {
  readonly host: string;
  readonly port: number;
  readonly maxConnections: number;
  readonly limits: ClientLimits;
}

/** Starts listening. Rejects with the error of the operating system when it cannot. */
export async function startSessionServer(
  session: SharedSession,
  options: SessionServerOptions,
): Promise<SessionServer> {
  const { host, port, maxConnections, limits } = options;
  const connections = new Set<ClientConnection>();
  const refused = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (connections.size >= maxConnections) {
      refused.add(socket);
      socket.once("close", () => refused.delete(socket));
      refuse(socket, limits.silenceMs);
      return;
    }
    const connection = serveClient(socket, { session, limits });
    connections.add(connection);
    void connection.ended.then(() => connections.delete(connection));
  });
  // Refused connections hold a socket for a short time, too.
  server.maxConnections = 2 * maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    for (const socket of refused) socket.destroy();
    await Promise.all([...connections].map((connection) => connection.close()));
    await closed;
  };
  return {
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Sends the reason in the client's protocol, and lets the client close, so that it can read it. */
function refuse(socket: Socket, silenceMs: number): void {
  socket.on("error", () => {});
  socket.setTimeout(silenceMs, () => socket.destroy());
  socket.resume();
  socket.end(fatalError("53300", "sorry, too many clients already"));
}
