import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type DataSourceRegistry, isParsecError } from "@parsec/core";
import { answerJson } from "./json-answer.ts";
import { RefusedRequest, readJsonObject } from "./json-body.ts";

/** Options of the admin endpoint. */
export interface AdminEndpointOptions {
  readonly registry: DataSourceRegistry;
  /** Bearer token of callers; undefined disables the endpoint. */
  readonly token: string | undefined;
  /** Default for `issuer` of the input: the only trusted issuer. */
  readonly defaultIssuer: string;
}

const maxBodyBytes = 65_536;

/**
 * Handles `POST /admin/invalidate` with `{"source": "users", "input": {"subject": "alice"}}`: invalidates
 * the input on every node. Answers 200 when all nodes acknowledged, 207 when some failed; the body lists
 * both. Never rejects.
 */
export async function handleInvalidate(
  request: IncomingMessage,
  response: ServerResponse,
  options: AdminEndpointOptions,
): Promise<void> {
  try {
    checkToken(request.headers.authorization, options.token);
    const body = await readJsonObject(request, { maxBytes: maxBodyBytes });
    const { source, input } = readInvalidation(body, options);
    const handle = options.registry.get(source);
    if (handle === undefined) {
      const names = options.registry.names().join(", ");
      throw new RefusedRequest(404, "no_such_source", `source must be one of: ${names}`);
    }
    const { acknowledged, failed } = await handle.invalidate(input);
    answerJson(response, failed.length === 0 ? 200 : 207, {
      source,
      acknowledged,
      failed: failed.map(({ peerId, error }) => ({ node: peerId, code: error.code })),
    });
  } catch (reason) {
    refuse(request, response, reason);
  }
}

function checkToken(authorization: string | undefined, token: string | undefined): void {
  // A disabled endpoint answers like an unknown path.
  if (token === undefined) throw new RefusedRequest(404, "not_found", "unknown path");
  const [, given = ""] = /^bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  if (!timingSafeEqual(digest(given), digest(token))) {
    throw new RefusedRequest(401, "unauthorized", "admin token is missing or wrong");
  }
}

function readInvalidation(
  body: Record<string, unknown>,
  options: AdminEndpointOptions,
): { readonly source: string; readonly input: { issuer: string; subject: string } } {
  const { source } = body;
  const input = body.input as Record<string, unknown> | null | undefined;
  if (typeof source !== "string" || source === "") {
    throw new RefusedRequest(400, "invalid_request", '"source" must name a data source');
  }
  const issuer = input?.issuer ?? options.defaultIssuer;
  const subject = input?.subject;
  if (typeof subject !== "string" || subject === "" || typeof issuer !== "string") {
    const description = '"input" must be {"subject": "…"}, optionally with "issuer"';
    throw new RefusedRequest(400, "invalid_request", description);
  }
  return { source, input: { issuer, subject } };
}

function refuse(request: IncomingMessage, response: ServerResponse, reason: unknown): void {
  const refused = asRefusal(reason);
  const headers: Record<string, string> = {};
  if (refused.status === 401) headers["www-authenticate"] = 'Bearer realm="admin"';
  if (!request.complete) {
    headers.connection = "close";
    request.resume();
  }
  const body = { error: refused.error, error_description: refused.message };
  answerJson(response, refused.status, body, headers);
}

function asRefusal(reason: unknown): RefusedRequest {
  if (reason instanceof RefusedRequest) return reason;
  if (isParsecError(reason) && (reason.code === "KEY_TOO_LARGE" || reason.code === "INVALID_KEY")) {
    return new RefusedRequest(
      400,
      "invalid_request",
      "input is not a valid key of this data source",
    );
  }
  return new RefusedRequest(503, "temporarily_unavailable", "nothing was invalidated; retry later");
}
