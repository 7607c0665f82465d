import { createServer, type RequestListener, type Server } from "node:http";
import type { ListenAddress } from "./listen-address.ts";

/** An HTTP server with graceful shutdown. */
export interface HttpServer {
  /** Resolves with the port. Rejects with Node's own error, such as `EADDRINUSE`. */
  listen(address: ListenAddress): Promise<number>;
  /**
   * Answers pending requests, and those that arrive meanwhile, for at most `maxMs`; then closes all
   * connections. Idempotent.
   */
  drain(maxMs: number): Promise<void>;
}

/** Timeouts for receiving a request. */
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
/** Longer than load balancers keep idle connections (usually 60 s), so that they close first. */
const keepAliveTimeoutMs = 65_000;

/** Creates a `node:http` server with timeouts. It counts pending requests for the drain. */
export function createHttpServer(listener: RequestListener): HttpServer {
  let pending = 0;
  let draining: Promise<void> | undefined;
  let onIdle: (() => void) | undefined;

  const server = createServer(
    { headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs },
    (request, response) => {
      pending += 1;
      response.once("close", () => {
        pending -= 1;
        if (pending === 0) onIdle?.();
      });
      // During a drain, requests are answered, and clients must reconnect elsewhere.
      if (draining !== undefined) response.setHeader("connection", "close");
      listener(request, response);
    },
  );
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.on("clientError", (_error, socket) => {
    // As Node answers malformed requests by default.
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
    else socket.destroy();
  });

  return {
    listen: ({ host, port }) => listen(server, host, port),
    drain(maxMs) {
      draining ??= (async () => {
        if (pending > 0) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, maxMs);
            onIdle = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
        await new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        });
      })();
      return draining;
    },
  };
}

function listen(server: Server, host: string | undefined, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off("error", reject);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}
