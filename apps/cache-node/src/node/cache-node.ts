import type { AddressInfo } from "node:net";
import { ParsecError } from "@parsec/core";
import { createRing } from "@parsec/ring";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { createMemoryLimit } from "../cache/memory-limit.ts";
import { createRingCache } from "../cache/ring-cache.ts";
import { addCacheRoutes } from "../http/cache-routes.ts";
import { closeHttpServer, createHttpServer } from "../http/http-server.ts";
import { createNodeMetrics } from "../http/node-metrics.ts";
import { watchReadiness } from "../http/readiness.ts";
import { addStatusRoutes } from "../http/status-routes.ts";
import type { EmbeddedNats } from "../nats/embedded-nats.ts";
import { judgeLeave, type LeaveOutcome } from "./leave-outcome.ts";
import type { ListenAddress } from "./listen-address.ts";
import type { NodeConfig } from "./node-config.ts";
import { openNodeData } from "./node-data.ts";
import { openNodeNats } from "./node-nats.ts";
import { logRingEvents, remindOfWaiting } from "./ring-log.ts";

/** A running node. */
export interface CacheNode {
  readonly port: number;
  /** Resolves when the node is a member of the ring; rejects with a permanent error. */
  readonly joined: Promise<void>;
  /** Rejects on a fatal error, such as the end of the embedded server. */
  readonly broken: Promise<never>;
  /** Hands its partitions over, then closes. Later calls, also of `close`, do nothing. */
  leave(): Promise<LeaveOutcome>;
  /** Closes at once; other nodes take over from their copies. */
  close(): Promise<LeaveOutcome>;
}

/**
 * Creates a node and listens; it joins the ring in the background. Rejects when it cannot listen, or finds no NATS
 * server to embed. Tests replace `makeRing`.
 */
export async function startCacheNode(
  config: NodeConfig,
  log: Logger,
  { makeRing = createRing }: { readonly makeRing?: typeof createRing } = {},
): Promise<CacheNode> {
  const opened: { close(): Promise<void> }[] = [];
  const keep = <Part extends { close(): Promise<void> }>(part: Part): Part => {
    opened.unshift(part);
    return part;
  };
  const closeAll = async (): Promise<void> => {
    for (const part of opened.splice(0)) await part.close();
  };
  try {
    const now = (): number => Date.now();
    const { data, state, persistent } = keep(await openNodeData(config, { now, log }));
    const nats = keep(await openNodeNats(config, process.env));
    const { platform, node, partitions, replicas, ack, leaveMs: leaveTimeoutMs } = config;
    const durable = persistent !== undefined;
    const shared = { platform, node, partitions, replicas, ack, leaveTimeoutMs, state, durable };
    const ring = keep(makeRing({ ...shared, ...nats.options }));
    ring.onOwn((owned) => {
      data.own(owned);
      persistent?.begin(owned);
    });
    ring.onRelease((released) => data.disown(released));
    logRingEvents(ring, log);

    const admit = createMemoryLimit(data, config.maxMib);
    const metrics = createNodeMetrics({ ring, data, persistent });
    const readiness = keep(watchReadiness(ring));
    let closing: Promise<LeaveOutcome> | undefined;
    const server = createHttpServer(log, { isLeaving: () => closing !== undefined });
    keep({ close: () => closeHttpServer(server) });
    addCacheRoutes(server, metrics.measure(createRingCache(ring, { now, admit })));
    addStatusRoutes(server, { ring, data, metrics, readiness });
    const port = await listen(server, config.http);

    const joining = new AbortController();
    const stopReminding = remindOfWaiting(ring, log);
    const never = new Promise<never>(() => {});
    const joined = ring
      .start({ signal: joining.signal })
      .catch((error: unknown) => {
        if (closing === undefined) throw error;
        return never;
      })
      .finally(stopReminding);
    const end = (first: () => Promise<LeaveOutcome>): Promise<LeaveOutcome> => {
      closing ??= (async () => {
        joining.abort();
        stopReminding();
        const outcome = await first();
        await closeAll();
        return outcome;
      })();
      return closing;
    };
    const isAlone = config.nats.kind !== "servers";
    const leave = async (): Promise<LeaveOutcome> => {
      await ring.handOver({ waitForOthers: !isAlone });
      const hadOthers = ring.state().members.some(({ id, present, weight }) => {
        return id !== node && present && weight > 0;
      });
      // The ring closes last, so that requests are answered until the end.
      await closeHttpServer(server);
      const report = await ring.leave({ signal: AbortSignal.abort() });
      const entriesOf = (partition: number): number => data.countOf(partition);
      return judgeLeave(report, { isDurable: durable, hadOthers, isAlone, entriesOf });
    };
    return {
      port,
      joined,
      broken: brokenWith(nats.embedded, () => closing !== undefined),
      close: () =>
        end(async () => {
          await ring.close();
          return { exitCode: 0, notes: [] };
        }),
      leave: () => end(leave),
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function brokenWith(
  embedded: EmbeddedNats | undefined,
  isClosing: () => boolean,
): Promise<never> {
  const words = await embedded?.ended;
  if (embedded === undefined || isClosing()) return new Promise(() => {});
  throw new Error(`the embedded nats-server ended unexpectedly: ${words}`);
}

async function listen(server: FastifyInstance, { host, port }: ListenAddress): Promise<number> {
  try {
    // Without a host: on all addresses, including IPv6 where available.
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
