import type { AddressInfo } from "node:net";
import { ParsecError } from "@parsec/core";
import { createMemoryHub, createRing, type RingOptions } from "@parsec/ring";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { CacheData } from "../cache/cache-data.ts";
import { type CacheState, createCacheState } from "../cache/cache-state.ts";
import { createRingCache } from "../cache/ring-cache.ts";
import { startSweeper } from "../cache/sweeper.ts";
import { addCacheRoutes } from "../http/cache-routes.ts";
import { createHttpServer } from "../http/http-server.ts";
import { createNodeMetrics } from "../http/node-metrics.ts";
import { addStatusRoutes } from "../http/status-routes.ts";
import type { ListenAddress } from "./listen-address.ts";
import type { NodeConfig } from "./node-config.ts";
import { logRingEvents } from "./ring-log.ts";

/** A running node. */
export interface CacheNode {
  readonly port: number;
  /** Resolves when the node is a member of the ring; rejects when that will never be. */
  readonly joined: Promise<void>;
  /** Hands its partitions over, then goes. Twice is fine, and so is `close` after it. */
  leave(): Promise<void>;
  /** Goes at once; other nodes take over from their copies. */
  close(): Promise<void>;
}

/** Builds the node from its parts and listens; it joins the ring in the background. Rejects when it cannot listen. */
export async function startCacheNode(config: NodeConfig, log: Logger): Promise<CacheNode> {
  const now = (): number => Date.now();
  const data = new CacheData(now);
  const state = createCacheState(data, config.node);
  const ring = createRing(ringOptions(config, state));
  ring.onOwn((partitions) => data.own(partitions));
  ring.onRelease((partitions) => data.disown(partitions));
  logRingEvents(ring, log);
  const metrics = createNodeMetrics(ring, data);
  const cache = metrics.measure(createRingCache(ring, now));
  const server = createHttpServer(log);
  addCacheRoutes(server, cache);
  addStatusRoutes(server, { ring, data, metrics });

  const stopSweeper = startSweeper(data);
  const joining = new AbortController();
  let closing: Promise<void> | undefined;
  const end = (whatFirst: () => Promise<void>): Promise<void> => {
    closing ??= (async () => {
      joining.abort();
      await whatFirst();
      await server.close();
      await ring.close();
      stopSweeper();
    })();
    return closing;
  };
  const close = (): Promise<void> => end(() => ring.close());
  try {
    const port = await listen(server, config.http);
    const joined = ring.start({ signal: joining.signal });
    return { port, joined, close, leave: () => end(() => ring.leave()) };
  } catch (error) {
    await close();
    throw error;
  }
}

function ringOptions(config: NodeConfig, state: CacheState): RingOptions {
  const { platform, node, partitions, replicas, ack, nats } = config;
  const shared = { platform, node, partitions, replicas, ack, state };
  switch (nats.kind) {
    case "none": {
      const { coordinator, link } = createMemoryHub().seat();
      // Nobody else can come along.
      return { ...shared, coordinator, link, joinDelayMs: 0 };
    }
    case "embedded":
      throw new ParsecError("INVALID_ARGUMENT", "an embedded NATS has to be started first");
    case "servers":
      return { ...shared, servers: nats.urls, insecure: config.insecure };
  }
}

async function listen(server: FastifyInstance, { host, port }: ListenAddress): Promise<number> {
  try {
    // Without a host on all addresses, those of IPv6 included where there are any.
    await server.listen({ port, host: host ?? "::" });
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (host === undefined && (code === "EAFNOSUPPORT" || code === "EADDRNOTAVAIL")) {
      await server.listen({ port, host: "0.0.0.0" });
    } else if (code === "EADDRINUSE") {
      const message = `port ${port} is in use: choose another with --http`;
      throw new ParsecError("INVALID_ARGUMENT", message, { cause: error });
    } else {
      throw error;
    }
  }
  return (server.server.address() as AddressInfo).port;
}
