import { ParsecError } from "@parsec/core";
import type { Ring } from "@parsec/ring";
import type { FastifyInstance } from "fastify";
import type { CacheData } from "../cache/cache-data.ts";
import { json, keyOf } from "./cache-routes.ts";
import type { NodeMetrics } from "./node-metrics.ts";
import { describeStats } from "./node-stats.ts";

export interface StatusParts {
  readonly ring: Ring;
  readonly data: CacheData;
  readonly metrics: NodeMetrics;
}

/** Adds the routes for operators: owner, stats, ring, metrics and health. */
export function addStatusRoutes(server: FastifyInstance, parts: StatusParts): void {
  const { ring, data, metrics } = parts;
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
  server.get("/health", async (_request, reply) => {
    const { status, leaseValid } = ring.state();
    const isReady = status === "active" && leaseValid;
    const shown = isReady ? "ok" : status === "active" ? "no-lease" : status;
    if (!isReady) reply.code(503).header("retry-after", "1");
    return json(reply, { status: shown, node: ring.nodeId });
  });
  server.get("/health/live", async (_request, reply) => {
    return json(reply, { status: "ok", node: ring.nodeId });
  });
  server.get("/metrics", async (_request, reply) => {
    return reply.type(metrics.contentType).send(await metrics.render());
  });
}
