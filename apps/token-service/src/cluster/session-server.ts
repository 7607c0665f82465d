import { createServer, type Socket } from "node:net";
import { type ClientConnection, type ClientLimits, serveClient } from "./client-connection.ts";
import { fatalError } from "./protocol-messages.ts";
import type { SharedSession } from "./shared-session.ts";

/** Makes one session reachable for many connections. */
export interface SessionServer {
  /** Hangs up on all, and leaves the session idle. Twice is fine. */
  close(): Promise<void>;
}

export interface SessionServerOptions {
  readonly host: string;
  readonly port: number;
  readonly maxConnections: number;
  readonly limits: ClientLimits;
}

/** Rejects with what the operating system says when it cannot listen. */
export async function startSessionServer(
  session: SharedSession,
  options: SessionServerOptions,
): Promise<SessionServer> {
  const { host, port, maxConnections, limits } = options;
  const connections = new Set<ClientConnection>();
  const turnedAway = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (connections.size >= maxConnections) {
      turnedAway.add(socket);
      socket.once("close", () => turnedAway.delete(socket));
      turnAway(socket, limits.silenceMs);
      return;
    }
    const connection = serveClient(socket, { session, limits });
    connections.add(connection);
    void connection.ended.then(() => connections.delete(connection));
  });
  // Those who are turned away hold a socket for a moment, too.
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
    for (const socket of turnedAway) socket.destroy();
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

/** Says why in the client's own protocol, and waits for it to hang up so that it can be read. */
function turnAway(socket: Socket, silenceMs: number): void {
  socket.on("error", () => {});
  socket.setTimeout(silenceMs, () => socket.destroy());
  socket.resume();
  socket.end(fatalError("53300", "sorry, too many clients already"));
}
