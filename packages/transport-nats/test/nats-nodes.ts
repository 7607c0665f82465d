import { randomUUID } from "node:crypto";
import { createGroupCache, type Group, type GroupCache, type GroupOptions } from "@parsec/core";
import {
  createNatsPeers,
  type NatsPeers,
  type NatsPeersOptions,
  type NatsPeersWarning,
} from "../src/index.ts";
import { until } from "./until.ts";

/** A node with one group, whose loader records the keys. */
export interface TestNode {
  readonly id: string;
  readonly peers: NatsPeers;
  readonly cache: GroupCache;
  readonly group: Group;
  readonly loads: string[];
  readonly warnings: NatsPeersWarning[];
  /** Gets a key on this node; resolves with the value as a string, or the code of the error. */
  get(key: string): Promise<string | undefined>;
}

export interface TestCluster {
  readonly name: string;
  readonly nodes: readonly TestNode[];
  /** Adds a node; resolves when it is ready. */
  join(id: string, over?: Partial<NatsPeersOptions>): Promise<TestNode>;
  /** Waits until every node sees these members and no others. */
  agree(ids: readonly string[], among?: readonly TestNode[]): Promise<void>;
  close(): Promise<void>;
}

/** Membership with short intervals, for tests. */
export const quickMembership = { kv: { heartbeatMs: 100, silenceMs: 800, joinDelayMs: 20 } };

/** Starts nodes, and waits until they have found each other. */
export async function startNodes(
  options: Partial<NatsPeersOptions> & {
    readonly ids: readonly string[];
    readonly group?: Partial<GroupOptions>;
  },
): Promise<TestCluster> {
  const { ids, group, ...over } = options;
  const name = over.cluster ?? randomUUID();
  const nodes: TestNode[] = [];
  const join: TestCluster["join"] = async (id, more = {}) => {
    const warnings: NatsPeersWarning[] = [];
    const peers = createNatsPeers({
      membership: quickMembership,
      onWarning: (warning) => warnings.push(warning),
      ...over,
      ...more,
      cluster: name,
      nodeId: id,
    });
    const node = { ...startNode(peers, group), id, warnings };
    nodes.push(node);
    await peers.ready();
    return node;
  };
  const agree: TestCluster["agree"] = async (members, among = nodes) => {
    const expected = [...members].sort().join();
    await until(() => among.every((node) => node.peers.stats().members.join() === expected));
  };
  const close = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.cache.close()));
  };
  try {
    await Promise.all(ids.map((id) => join(id)));
    await agree(ids);
  } catch (error) {
    await close();
    throw error;
  }
  nodes.sort((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id));
  return { name, nodes, join, agree, close };
}

function startNode(
  peers: NatsPeers,
  group: Partial<GroupOptions> = {},
): Omit<TestNode, "id" | "warnings"> {
  const loads: string[] = [];
  const cache = createGroupCache({ peers });
  const users = cache.group("users", {
    hot: false,
    timeoutMs: 5000,
    load: (key) => {
      loads.push(key);
      return `value of ${key}`;
    },
    ...group,
  });
  return {
    peers,
    cache,
    group: users,
    loads,
    async get(key) {
      try {
        const value = await users.get(key);
        return value && Buffer.from(value).toString();
      } catch (error) {
        return (error as { code?: string }).code;
      }
    },
  };
}

/** Keys that another node owns, as this one places them. */
export function keysOf(from: TestNode, owner: string, count: number): string[] {
  const keys: string[] = [];
  for (let index = 0; keys.length < count; index++) {
    const key = `key ${index}`;
    if ((from.peers.pick(key)?.id ?? from.id) === owner) keys.push(key);
  }
  return keys;
}
