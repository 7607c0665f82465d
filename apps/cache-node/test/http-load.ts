import { get, set } from "./http-client.ts";
import type { NodeCluster } from "./node-cluster.ts";

/** Writers that each increment a value, through all nodes, until they are stopped. */
export interface HttpLoad {
  /** Sends no further requests to this node. */
  avoid(id: string): void;
  /** Waits until that many more writes have been acknowledged. */
  acknowledged(count: number): Promise<void>;
  /** Returns answers other than 200, and broken connections, since the last call. */
  takeFailures(): readonly string[];
  /** Ends the load. */
  stop(): Promise<void>;
  /** Returns values that are older than an acknowledged write, or were never written. */
  faults(): Promise<readonly string[]>;
}

export function startHttpLoad(cluster: NodeCluster, writers: number): HttpLoad {
  const avoided = new Set<string>();
  const written = new Map<string, { acknowledged: number; attempted: number }>();
  let failures: string[] = [];
  let total = 0;
  let isStopped = false;

  const write = async (key: string): Promise<void> => {
    const counts = { acknowledged: 0, attempted: 0 };
    written.set(key, counts);
    for (let turn = 0; !isStopped; turn++) {
      const nodes = [...cluster.nodes.values()].filter(({ id }) => !avoided.has(id));
      const node = nodes[turn % nodes.length];
      if (node === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      const version = ++counts.attempted;
      const answer = await set(node.url, key, String(version)).catch(String);
      if (typeof answer !== "string" && answer.status === 200) {
        counts.acknowledged = version;
        total++;
      } else {
        const how = typeof answer === "string" ? answer : JSON.stringify(answer.body);
        failures.push(`${key} by ${node.id}: ${how}`);
      }
    }
  };
  const runs = Array.from({ length: writers }, (_, at) => write(`counter:${at}`));

  return {
    avoid: (id) => void avoided.add(id),
    async acknowledged(count) {
      const goal = total + count;
      while (total < goal) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    takeFailures() {
      const taken = failures;
      failures = [];
      return taken;
    },
    async stop() {
      isStopped = true;
      await Promise.all(runs);
    },
    async faults() {
      const [node] = cluster.nodes.values();
      const wrong: string[] = [];
      for (const [key, { acknowledged, attempted }] of written) {
        const { body } = await get(node?.url ?? "", key);
        const value = Number((body as { value?: string }).value);
        if (value >= acknowledged && value <= attempted) continue;
        wrong.push(`${key} is ${value}, acknowledged ${acknowledged}, attempted ${attempted}`);
      }
      return wrong;
    },
  };
}
