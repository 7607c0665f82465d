import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { Logger } from "pino";
import { type ErrorAnswer, errorAnswer } from "./error-answer.ts";
import { RequestRefusal } from "./request-refusal.ts";

/** A character of a value may be escaped with six: \u0000. */
const maxBodyBytes = 8 * 1024 * 1024;
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
const keepAliveTimeoutMs = 72_000;
/** Time limit of answers under way when the server closes. */
const closeGraceMs = 5_000;

/**
 * Creates an HTTP server that answers errors of all kinds as JSON; the caller adds routes, and listens. Requests are not
 * logged, because URLs contain keys, which may be confidential. While the node `isLeaving`, each answer ends
 * its connection.
 */
export function createHttpServer(
  log: Logger,
  { isLeaving }: { readonly isLeaving: () => boolean },
): FastifyInstance {
  const server = fastify({
    bodyLimit: maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    http: { headersTimeout: headersTimeoutMs },
    forceCloseConnections: "idle",
    // A leaving node goes on serving.
    return503OnClosing: false,
    // Handlers parse the query themselves, because other parsers accept malformed queries.
    routerOptions: { querystringParser: (query) => ({ query }) },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error, _request, reply) => sendError(reply, errorAnswer(error)),
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    /^application\/json\s*(;\s*charset\s*=\s*"?utf-?8"?\s*)?$/i,
    { parseAs: "buffer" },
    (request, body, done) => {
      const encoding = request.headers["content-encoding"] ?? "identity";
      if (encoding === "identity") done(null, body);
      else done(unsupportedEncoding());
    },
  );
  server.setErrorHandler((error: unknown, request, reply) => {
    const answer = errorAnswer(error);
    if (answer.status === 500) {
      log.error({ route: request.routeOptions.url, err: error }, "a request failed");
    }
    // Fastify would close the connection while the body is being sent, and the answer would be lost.
    reply.removeHeader("connection");
    return sendError(reply, answer);
  });
  // Clients then connect to another node, instead of delaying the shutdown of this one.
  server.addHook("onSend", async (_request, reply) => {
    if (isLeaving()) reply.header("connection", "close");
  });
  server.setNotFoundHandler((request, reply) => {
    return sendError(reply, errorAnswer(notFound(server, request)));
  });
  return server;
}

/** Waits for the answers under way, but not for clients that never send the rest of a request. */
export async function closeHttpServer(server: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => server.server.closeAllConnections(), closeGraceMs);
  await server.close().finally(() => clearTimeout(timer));
}

const allMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

function notFound(server: FastifyInstance, request: FastifyRequest): RequestRefusal {
  const [url = "/"] = request.raw.url?.split("?", 1) ?? [];
  const allowed = allMethods.filter((method) => server.hasRoute({ method, url }));
  if (allowed.length === 0) {
    return new RequestRefusal(404, { code: "NOT_FOUND", message: "path not found" });
  }
  const allow = allowed.join(", ");
  return new RequestRefusal(405, {
    code: "METHOD_NOT_ALLOWED",
    message: `method must be ${allow}`,
    headers: { allow },
  });
}

function unsupportedEncoding(): RequestRefusal {
  return new RequestRefusal(415, {
    code: "UNSUPPORTED_MEDIA_TYPE",
    message: "the body must not be compressed",
  });
}

function sendError(reply: FastifyReply, { status, body, headers }: ErrorAnswer): FastifyReply {
  return reply
    .code(status)
    .headers({ "cache-control": "no-store", ...headers })
    .type("application/json; charset=utf-8")
    .send(`${JSON.stringify(body)}\n`);
}

type BrokenRequest = readonly [status: number, code: string, message: string];

const notHttp: BrokenRequest = [400, "INVALID_ARGUMENT", "not a valid HTTP request"];

/** Answers by the error code of Node's parser. */
const brokenRequests: Readonly<Record<string, BrokenRequest>> = {
  HPE_HEADER_OVERFLOW: [431, "HEADERS_TOO_LARGE", "URL and headers are too large"],
  HPE_INVALID_URL: [400, "INVALID_ARGUMENT", "the URL has characters that must be escaped"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "TIMEOUT", "the request took too long to arrive"],
};

/** Answers a malformed HTTP request, or one that takes too long to arrive. */
function answerBrokenRequest(error: Error & { readonly code?: string }, socket: Socket): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, code, message] = brokenRequests[error.code ?? ""] ?? notHttp;
  const body = `${JSON.stringify({ error: message, code })}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "content-type: application/json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
