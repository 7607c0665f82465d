import type { IncomingMessage } from "node:http";
import type { RequestAttributes } from "../claims/request-attributes.ts";

/** Headers with credentials, which mappers do not get. */
const secretHeaders: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
]);

/** The attributes of a request for claim mappers. */
export function describeRequest(request: IncomingMessage, path: string): RequestAttributes {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || secretHeaders.has(name)) continue;
    headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return {
    method: request.method,
    path,
    ipAddress: request.socket.remoteAddress,
    userAgent: request.headers["user-agent"],
    headers,
  };
}
