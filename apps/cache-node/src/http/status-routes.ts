import { ParsecError } from "@parsec/core";
import type { Ring } from "@parsec/ring";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { CacheData } from "../cache/cache-data.ts";
import { json, keyOf } from "./cache-routes.ts";
import type { NodeMetrics } from "./node-metrics.ts";
import { describeStats } from "./node-stats.ts";
import type { Readiness, ReadinessCheck } from "./readiness.ts";

export interface StatusParts {
  readonly ring: Ring;
  readonly data: CacheData;
  readonly metrics: NodeMetrics;
  readonly readiness: ReadinessCheck;
}

/** Adds the routes for operators: owner, stats, ring, metrics and health. */
export function addStatusRoutes(server: FastifyInstance, parts: StatusParts): void {
  const { ring, data, metrics, readiness } = parts;
  server.get("/owner", async (request, reply) => {
    const key = keyOf(request);
    const owner = ring.nodeFor(key);
    if (owner === undefined) {
      throw new ParsecError("PEER_UNREACHABLE", "the key has no owner at the moment");
    }
    const [partition, isLocal] = [ring.partitionFor(key), ring.ownsKey(key)];
    return json(reply, {
      key,
      partition,
      owner,
      is_local: isLocal,
      this_node: ring.nodeId,
    });
  });
  server.get("/stats", async (_request, reply) => json(reply, describeStats(ring, data)));
  server.get("/ring", async (_request, reply) => json(reply, ring.state()));
  const health = (reply: FastifyReply, { isReady, status, reason }: Readiness): FastifyReply => {
    if (!isReady) reply.code(503).header("retry-after", "1");
    return json(reply, { status, node: ring.nodeId, reason });
  };
  server.get("/health", async (_request, reply) => health(reply, readiness.serving()));
  server.get("/health/ready", async (_request, reply) => health(reply, readiness.complete()));
  server.get("/health/live", async (_request, reply) => {
    return json(reply, { status: "ok", node: ring.nodeId });
  });
  server.get("/metrics", async (_request, reply) => {
    return reply.type(metrics.contentType).send(await metrics.render());
  });
}
