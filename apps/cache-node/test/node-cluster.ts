import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import type { NodeStats } from "../src/http/node-stats.ts";
import { ask, get, type JsonAnswer } from "./http-client.ts";
import { type NodeProgram, startNodeProgram } from "./node-program.ts";

/** Nodes of one ring, each in its own process. */
export interface NodeCluster {
  readonly nodes: Map<string, NodeProgram>;
  start(id: string): Promise<NodeProgram>;
  /** Waits until exactly these nodes own all partitions, and nothing moves or lacks a copy. */
  settled(): Promise<void>;
  stats(): Promise<NodeStats[]>;
  /** Writes keys through all nodes in turn; each must be acknowledged. */
  fill(count: number): Promise<void>;
  /** Counts missing keys, through all nodes in turn. */
  missing(count: number): Promise<string[]>;
  /** Kills the remaining nodes. */
  close(): Promise<void>;
}

export function createNodeCluster(options: {
  readonly natsUrl: string;
  /** Arguments of the node with this id. */
  readonly args?: (id: string) => readonly string[];
}): NodeCluster {
  const nodes = new Map<string, NodeProgram>();
  const platform = `test-${randomUUID()}`;
  const inTurn = async <Result>(
    count: number,
    use: (url: string, key: string) => Promise<Result>,
  ): Promise<Result[]> => {
    const urls = [...nodes.values()].map(({ url }) => url);
    const keys = Array.from({ length: count }, (_, at) => `key:${at}`);
    return Promise.all(keys.map((key, at) => use(urls[at % urls.length] as string, key)));
  };
  return {
    nodes,
    async start(id) {
      const node = await startNodeProgram({
        id,
        args: ["--platform", platform, "--log-level", "debug", ...(options.args?.(id) ?? [])],
        env: { PARSEC_NATS: options.natsUrl },
      });
      nodes.set(id, node);
      void node.program.ended.then(() => {
        if (nodes.get(id) === node) nodes.delete(id);
      });
      return node;
    },
    async settled() {
      const wanted = [...nodes.keys()].sort();
      await expect
        .poll(async () => (await statsOf(nodes)).map((stats) => describe(stats)))
        .toEqual(wanted.map(() => ({ nodes: wanted, owned: 64, isRebalancing: false })));
    },
    stats: () => statsOf(nodes),
    async fill(count) {
      const answers = await inTurn(count, (url, key) => write(url, key));
      expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    },
    async missing(count) {
      const answers = await inTurn(count, async (url, key) => ({ key, ...(await get(url, key)) }));
      return answers
        .filter(({ key, body }) => (body as { value?: string }).value !== `value of ${key}`)
        .map(({ key, status, body }) => `${key}: ${status} ${JSON.stringify(body)}`);
    },
    async close() {
      await Promise.all([...nodes.values()].map((node) => node.kill()));
    },
  };
}

async function statsOf(nodes: ReadonlyMap<string, NodeProgram>): Promise<NodeStats[]> {
  const answers = await Promise.all([...nodes.values()].map(({ url }) => ask(`${url}/stats`)));
  return answers.map(({ body }) => body as NodeStats);
}

function describe({ ring }: NodeStats): object {
  const owned = Object.values(ring.partitions_by_node).reduce((sum, each) => sum + each, 0);
  const nodes = Object.keys(ring.partitions_by_node).sort();
  return { nodes, owned, isRebalancing: ring.is_rebalancing };
}

function write(url: string, key: string): Promise<JsonAnswer> {
  return ask(`${url}/set`, {
    method: "POST",
    body: JSON.stringify({ key, value: `value of ${key}` }),
    headers: { "content-type": "application/json" },
  });
}
