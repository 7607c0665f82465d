import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { answerJson } from "./json-answer.ts";

/** Handles one path. */
export type Endpoint = (request: IncomingMessage, response: ServerResponse) => void;

/** Paths and their endpoints. */
export interface Routes {
  /** Handles all paths under this prefix. */
  readonly peers: { readonly basePath: string; readonly handler: Endpoint };
  /** Endpoints for GET and HEAD. */
  readonly read: Readonly<Record<string, Endpoint>>;
  /** Endpoints for POST. */
  readonly write: Readonly<Record<string, Endpoint>>;
  /** Handles all other paths, and calls `next` for unknown ones. */
  readonly tokens: (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
}

/** Creates the listener for all endpoints of a node. Unknown paths get 404, wrong methods 405, in JSON. */
export function createRequestRouter(routes: Routes): RequestListener {
  const { peers, read, write, tokens } = routes;
  return (request, response) => {
    const [path = "/"] = (request.url ?? "/").split("?", 1);
    if (path.startsWith(peers.basePath)) {
      peers.handler(request, response);
      return;
    }
    const isRead = Object.hasOwn(read, path);
    const endpoint = isRead ? read[path] : Object.hasOwn(write, path) ? write[path] : undefined;
    if (endpoint === undefined) {
      tokens(request, response, () => {
        const body = { error: "not_found", error_description: "unknown path" };
        answerJson(response, 404, body);
      });
      return;
    }
    const allowed = isRead ? ["GET", "HEAD"] : ["POST"];
    if (allowed.includes(request.method ?? "")) {
      endpoint(request, response);
      return;
    }
    const allow = allowed.join(", ");
    const body = { error: "invalid_request", error_description: `method must be one of ${allow}` };
    answerJson(response, 405, body, { allow });
  };
}
