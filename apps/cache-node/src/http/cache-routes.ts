import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { RingCache } from "../cache/ring-cache.ts";
import { keyFromQuery } from "./key-query.ts";
import { invalidRequest } from "./request-refusal.ts";
import { parseSetBody } from "./set-body.ts";

/** Adds the routes of set, get and delete: any node answers for any key. */
export function addCacheRoutes(server: FastifyInstance, cache: RingCache): void {
  server.post("/set", async (request, reply) => {
    if (!Buffer.isBuffer(request.body)) throw invalidRequest("the body is missing");
    refuseQuery(request);
    const { key, value, ttlSeconds } = parseSetBody(request.body);
    const { node } = await cache.set(key, value, { ttlSeconds });
    return json(reply, { success: true, node });
  });
  server.get("/get", async (request, reply) => {
    const { node, value } = await cache.get(keyOf(request));
    if (value !== undefined) return json(reply, { found: true, value, node });
    reply.code(404);
    return json(reply, { found: false, node });
  });
  server.delete("/delete", async (request, reply) => {
    const { node, deleted } = await cache.delete(keyOf(request));
    return json(reply, { deleted, node });
  });
}

/** Throws a refusal unless the query names one key and nothing else. */
export function keyOf(request: FastifyRequest): string {
  return keyFromQuery((request.query as { readonly query: string }).query);
}

/** Sends JSON that must not be cached, with a final line break for terminals. */
export function json(reply: FastifyReply, body: unknown): FastifyReply {
  return reply
    .header("cache-control", "no-store")
    .type("application/json; charset=utf-8")
    .send(`${JSON.stringify(body)}\n`);
}

function refuseQuery(request: FastifyRequest): void {
  if ((request.query as { readonly query: string }).query === "") return;
  throw invalidRequest("query parameters are not allowed: all fields are in the body");
}
