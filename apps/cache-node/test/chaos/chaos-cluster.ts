import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type NatsServer,
  type StartServer,
  startTcpProxy,
  type TcpProxy,
} from "@parsec/nats-fixtures";
import { vi } from "vitest";
import { type ChaosNode, startChaosNode } from "./chaos-node.ts";
import { deleteBuckets } from "./delete-buckets.ts";
import type { PlacedKey } from "./placed-key.ts";
import { askRingState, describeUnrest } from "./ring-unrest.ts";
import type { ServiceNote } from "./service-note.ts";
import { giveUpMs, soon } from "./soon.ts";

/** Nodes in processes of their own, each with a line to NATS that can be cut. */
export interface ChaosCluster {
  /** Those that listen, stopped or cut off or not. */
  readonly nodes: ReadonlyMap<string, ChaosNode>;
  readonly nats: Pick<NatsServer, "stop" | "start">;
  /**
   * Starts a node, or starts it again; resolves when it has joined, or only listens if not `isJoined`. Its name in
   * the ring is `id` by default.
   */
  start(
    id: string,
    options?: { readonly name?: string; readonly isJoined?: boolean },
  ): Promise<void>;
  /** SIGTERM; resolves when it has handed everything over and ended. */
  leave(id: string): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(id: string): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(id: string): void;
  resume(id: string): void;
  /** Cuts a node off from NATS, and lets it reach NATS again. */
  cut(id: string): void;
  heal(id: string, underWay: "late" | "lost"): void;
  /** Has NATS lose whatever one node says to another, while both reach NATS; returns how many messages were lost. */
  mute(from: string, to: string): () => number;
  deleteBuckets(): Promise<number>;
  /** Waits until all of `ids`, by default every node, are alone in the ring, agree, and hold all copies. */
  settled(ids?: readonly string[]): Promise<void>;
  /** Where keys lie; rejects unless each has an owner. */
  place(keys: readonly string[]): Promise<readonly PlacedKey[]>;
  /** Which table each node goes by. */
  incarnations(): Promise<readonly (string | undefined)[]>;
  /** Whatever was served, as the nodes have noted it. */
  notes(): Promise<ServiceNote[]>;
  /** What the nodes wrote to their logs, for people. */
  logs(): Promise<string>;
  close(): Promise<void>;
}

export interface ChaosClusterOptions {
  readonly startNats: StartServer;
  /** Nodes keep their data on disk, so that it outlasts them all. */
  readonly isPersistent?: boolean;
  readonly replicas?: number;
  /** To which ring a node belongs: all to one, unless a test wants to see what is seen of two. */
  readonly ringOf?: (id: string) => string;
}

/** Starts the nodes and waits until they have joined, though the ring may not be at rest yet. */
export async function startChaosCluster(
  ids: readonly string[],
  options: ChaosClusterOptions,
): Promise<ChaosCluster> {
  const { startNats, isPersistent = false, replicas = 2, ringOf = () => "one" } = options;
  const folder = await mkdtemp(join(tmpdir(), "parsec-chaos-"));
  const nats = await startNats();
  const nodes = new Map<string, ChaosNode>();
  const known = new Set<string>();
  const proxies = new Map<string, TcpProxy>();

  // One that stands still does not notice that the test has ended.
  const killAll = (): void => {
    for (const node of nodes.values()) node.send("SIGKILL");
  };
  process.once("exit", killAll);
  const nodeOf = (id: string): ChaosNode => {
    const node = nodes.get(id);
    if (node === undefined) throw new Error(`node ${id} does not run`);
    return node;
  };
  const proxyOf = async (id: string): Promise<TcpProxy> => {
    const proxy = proxies.get(id) ?? (await startTcpProxy(nats.port));
    proxies.set(id, proxy);
    return proxy;
  };
  const notesFile = (id: string): string => join(folder, `${id}.notes`);
  const logFile = (id: string): string => join(folder, `${id}.log`);
  const readAll = (fileOf: (id: string) => string): Promise<string[]> =>
    Promise.all([...known].map((id) => readFile(fileOf(id), "utf8")));

  const cluster: ChaosCluster = {
    nodes,
    nats,
    async start(id, { name = id, isJoined = true } = {}) {
      const { url } = await proxyOf(id);
      known.add(id);
      const node = await startChaosNode({
        id,
        name,
        notesFile: notesFile(id),
        logFile: logFile(id),
        args: [
          ...["--nats", url, "--platform", ringOf(id)],
          ...["--replicas", String(replicas), "--log-level", "debug"],
          ...(isPersistent ? ["--persist", join(folder, `${id}.data`)] : []),
        ],
      });
      nodes.set(id, node);
      void node.ended.then(() => {
        if (nodes.get(id) === node) nodes.delete(id);
      });
      if (isJoined) await soon(node.joined, `node ${id} is to join`);
    },
    async leave(id) {
      const node = nodeOf(id);
      node.send("SIGTERM");
      const how = await soon(node.ended, `node ${id} is to leave`);
      if (how !== 0) throw new Error(`node ${id} was to leave and ended with ${how}`);
    },
    async kill(id) {
      const node = nodeOf(id);
      node.send("SIGKILL");
      await node.ended;
    },
    pause: (id) => nodeOf(id).send("SIGSTOP"),
    resume: (id) => nodeOf(id).send("SIGCONT"),
    cut: (id) => proxies.get(id)?.partition(),
    heal: (id, underWay) => proxies.get(id)?.heal(underWay),
    mute(from, to) {
      const proxy = proxies.get(from);
      if (proxy === undefined) throw new Error(`node ${from} was never started`);
      const before = proxy.lost;
      const subjects = `parsec.ring.${ringOf(to)}.${to}.`;
      proxy.loses = (subject) => subject.startsWith(subjects);
      return () => {
        proxy.loses = () => false;
        return proxy.lost - before;
      };
    },
    deleteBuckets: () => deleteBuckets(nats.port),
    async settled(among) {
      const ids = [...(among ?? nodes.keys())];
      await vi.waitFor(
        async () => {
          const wanted = ids.map((id) => nodeOf(id).name).sort();
          const states = await Promise.all(ids.map((id) => askRingState(nodeOf(id))));
          const unrest = states.map((state) => describeUnrest(state, { wanted, replicas }));
          const tables = new Set(states.map((state) => `${state?.incarnation} ${state?.epoch}`));
          const told = [...unrest, tables.size === 1 ? "" : "nodes go by different tables"]
            .filter((text) => text !== "")
            .join("; ");
          if (told !== "") throw new Error(`the ring is not at rest: ${told}`);
        },
        { timeout: giveUpMs, interval: 25 },
      );
    },
    async place(keys) {
      const [node] = nodes.values();
      if (node === undefined) throw new Error("no node runs");
      const owners = keys.map(async (key) => {
        const answer = await fetch(`${node.url}/owner?key=${encodeURIComponent(key)}`);
        if (!answer.ok) throw new Error(`${key} has no owner: ${await answer.text()}`);
        return (await answer.json()) as PlacedKey;
      });
      return Promise.all(owners);
    },
    incarnations: () =>
      Promise.all([...nodes.values()].map(async (node) => (await askRingState(node))?.incarnation)),
    async notes() {
      const files = await readAll(notesFile);
      const lines = files.flatMap((text) => text.split("\n"));
      // A killed process may have left half a line.
      return lines.filter((line) => line.endsWith("}")).map((line) => JSON.parse(line));
    },
    logs: async () => (await readAll(logFile)).join("\n"),
    async close() {
      const running = [...nodes.values()];
      killAll();
      await Promise.all(running.map(({ ended }) => ended));
      process.off("exit", killAll);
      for (const proxy of proxies.values()) await proxy.close();
      await nats.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await Promise.all(ids.map((id) => cluster.start(id)));
  } catch (error) {
    const logs = await cluster.logs().catch(() => "");
    await cluster.close();
    throw new Error(`the cluster did not come up: ${logs.slice(-4000)}`, { cause: error });
  }
  return cluster;
}
