import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { untilAborted } from "@parsec/core/authoring";
import { claimPorts, loopbackHost } from "@parsec/program";
import type { NodeStats } from "../http/node-stats.ts";
import { startEmbeddedNats } from "../nats/embedded-nats.ts";
import { findNatsServer } from "../nats/find-nats-server.ts";
import type { ClusterOptions } from "./cluster-options.ts";
import { type NodeProcess, startNodeProcess } from "./node-process.ts";

/** A running cluster on this machine. */
export interface LocalCluster {
  readonly nodes: readonly NodeProcess[];
  /** Whether the cluster started the nats-server. */
  readonly isNatsEmbedded: boolean;
  /** Folder of the data; undefined for memory only. */
  readonly persist: string | undefined;
  /** Ends the nodes, then the server. A second call does nothing. */
  close(): Promise<void>;
}

export interface LocalClusterHooks {
  /** Called with each log line of a node. */
  readonly onLine: (line: string) => void;
  /** Called when a node ended unexpectedly. */
  readonly onNodeLost: (node: NodeProcess, how: string) => void;
  /** Called when the embedded nats-server ended unexpectedly. */
  readonly onNatsLost: (words: string) => void;
  /** Aborts the start. */
  readonly signal: AbortSignal;
}

const stopGraceMs = 5_000;
const settleWithinMs = 10_000;
const settlePollMs = 50;

/**
 * Starts a nats-server, unless one is given, and three nodes, and waits until all are members of the ring. Rejects with
 * `INVALID_ARGUMENT` for ports in use before it starts a process; after any other failure, and when the signal
 * fires, it stops all processes.
 */
export async function startLocalCluster(
  options: ClusterOptions,
  hooks: LocalClusterHooks,
): Promise<LocalCluster> {
  const { persist } = options;
  const ports = await claimPorts(options.nodePorts.map((port) => ({ port, flag: "--port" })));
  let isClosing = false;
  let closing: Promise<void> | undefined;
  const nodes: NodeProcess[] = [];
  const nats = options.natsUrl === undefined ? await startNats(persist) : undefined;
  void nats?.ended.then((words) => {
    if (!isClosing) hooks.onNatsLost(words);
  });
  const close = (): Promise<void> => {
    isClosing = true;
    closing ??= (async () => {
      await Promise.all(nodes.map((node) => node.stop(stopGraceMs)));
      await nats?.close();
    })();
    return closing;
  };

  try {
    hooks.signal.throwIfAborted();
    // A new ring for each run, unless its data is kept.
    const platform = persist === undefined ? `local-${randomUUID()}` : "local";
    const shared = { PARSEC_NATS: nats?.url ?? options.natsUrl ?? "", PARSEC_PLATFORM: platform };
    for (const [index, port] of ports.entries()) {
      const id = `node-${index + 1}`;
      const address = `${loopbackHost}:${port}`;
      const args = ["--node", id, "--http", address, ...options.nodeArgs];
      if (persist !== undefined) args.push("--persist", join(persist, id));
      // The end of another node is shown, unless the cluster is closing.
      const onLine = (line: string): void => {
        if (!isClosing) hooks.onLine(`${id}: ${line}`);
      };
      nodes.push(startNodeProcess({ id, url: `http://${address}`, args, env: shared, onLine }));
    }
    await untilAborted(Promise.all(nodes.map((node) => node.ready)), hooks.signal);
    await waitUntilSettled(nodes, hooks.signal);
    for (const node of nodes) {
      void node.ended.then((how) => {
        if (!isClosing) hooks.onNodeLost(node, how);
      });
    }
    return { nodes, isNatsEmbedded: nats !== undefined, persist, close };
  } catch (reason) {
    await close();
    throw reason;
  }
}

async function startNats(persist: string | undefined): ReturnType<typeof startEmbeddedNats> {
  const folder = persist === undefined ? undefined : join(persist, "nats");
  return startEmbeddedNats(await findNatsServer(process.env), { folder });
}

/** Waits until each node owns its share, so that the first request does not wait; gives up after a while. */
async function waitUntilSettled(nodes: readonly NodeProcess[], signal: AbortSignal): Promise<void> {
  const giveUp = AbortSignal.any([signal, AbortSignal.timeout(settleWithinMs)]);
  const isSettled = async ({ url }: NodeProcess): Promise<boolean> => {
    const response = await fetch(`${url}/stats`, { signal: giveUp }).catch(() => undefined);
    const { ring } = ((await response?.json()) ?? {}) as Partial<NodeStats>;
    return ring?.num_nodes === nodes.length && !ring.is_rebalancing;
  };
  while (!giveUp.aborted && (await Promise.all(nodes.map(isSettled))).includes(false)) {
    await new Promise((resolve) => setTimeout(resolve, settlePollMs));
  }
}
