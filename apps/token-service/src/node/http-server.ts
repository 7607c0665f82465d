import { createServer, type RequestListener, type Server } from "node:http";
import type { ListenAddress } from "./listen-address.ts";

/** A server that can be emptied before it is closed. */
export interface HttpServer {
  /** Resolves with the port. Rejects with Node's own error, such as `EADDRINUSE`. */
  listen(address: ListenAddress): Promise<number>;
  /**
   * Answers what is under way, and what still arrives meanwhile, but for `maxMs` at most; then
   * closes every connection. Calling twice is fine.
   */
  drain(maxMs: number): Promise<void>;
}

/** A client that sends its request slower than this is cut off. */
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
/** Longer than load balancers keep idle connections (60 s as a rule), so that they close first. */
const keepAliveTimeoutMs = 65_000;

/** A `node:http` server with limits in time, which counts the requests under way. */
export function createHttpServer(listener: RequestListener): HttpServer {
  let underWay = 0;
  let draining: Promise<void> | undefined;
  let onIdle: (() => void) | undefined;

  const server = createServer(
    { headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs },
    (request, response) => {
      underWay += 1;
      response.once("close", () => {
        underWay -= 1;
        if (underWay === 0) onIdle?.();
      });
      // Who comes during a drain is answered, and told to go elsewhere next time.
      if (draining !== undefined) response.setHeader("connection", "close");
      listener(request, response);
    },
  );
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.on("clientError", (_error, socket) => {
    // Node's own answers to malformed requests, without the stack trace of a default handler.
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
    else socket.destroy();
  });

  return {
    listen: ({ host, port }) => listen(server, host, port),
    drain(maxMs) {
      draining ??= (async () => {
        if (underWay > 0) {
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
