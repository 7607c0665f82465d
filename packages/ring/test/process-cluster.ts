import { randomUUID } from "node:crypto";
import type { BundledPrograms } from "@parsec/program/testing";
import { createRing, type Ring, type RingOptions } from "../src/index.ts";
import { findFaults, type Operation } from "./history.ts";
import { createMapState } from "./map-state.ts";
import { type NodeProcess, startNodeProcess } from "./node-process.ts";
import type { Served } from "./programs/ring-node.ts";
import { until } from "./until.ts";

/** Nodes in separate processes, a client in this process, and load whose history is recorded. */
export interface ProcessCluster {
  readonly nodes: Map<string, NodeProcess>;
  readonly client: Ring;
  readonly history: Operation[];
  /** Operations that ended with an error. */
  readonly errors: string[];
  start(id: string): Promise<NodeProcess>;
  /** Waits until exactly these nodes own all partitions, with as many copies as possible. */
  settled(): Promise<void>;
  /** Starts writers and readers of that many keys, until it is stopped. */
  load(keys: number): { stop(): Promise<void> };
  /** Waits until that many more operations have been answered. */
  answered(count: number): Promise<void>;
  /** Reads every key once more, and returns the violations of the whole history. */
  faults(): Promise<string[]>;
  close(): Promise<void>;
}

export async function startProcessCluster(
  program: BundledPrograms,
  options: Partial<RingOptions> & { readonly servers: string },
): Promise<ProcessCluster> {
  const shared = { platform: `test-${randomUUID()}`, partitions: 32, leaseMs: 1200, ...options };
  const nodes = new Map<string, NodeProcess>();
  const history: Operation[] = [];
  const errors: string[] = [];
  const versions = new Map<string, number>();
  const state = createMapState();
  const client = createRing({ ...shared, node: "client", weight: 0, state });
  await client.start();

  const perform = async (kind: "put" | "get", key: string): Promise<void> => {
    const version = kind === "put" ? (versions.get(key) ?? 0) + 1 : 0;
    if (kind === "put") versions.set(key, version);
    const beganNs = process.hrtime.bigint();
    let served: Served | undefined;
    try {
      const answer = await client.call(key, kind, Buffer.from(String(version)));
      served = JSON.parse(Buffer.from(answer).toString()) as Served;
    } catch (error) {
      errors.push(`${kind} ${key}: ${String(error)}`);
    }
    const endedNs = process.hrtime.bigint();
    const seen = kind === "put" ? version : Number(served?.value ?? 0);
    history.push({ kind, key, version: seen, beganNs, endedNs, served });
  };

  return {
    nodes,
    client,
    history,
    errors,
    async start(id) {
      const node = await startNodeProcess(program, { ...shared, node: id });
      nodes.set(id, node);
      void node.ended.then(() => {
        if (nodes.get(id) === node) nodes.delete(id);
      });
      return node;
    },
    async settled() {
      await until(() => {
        const { members, moving, underReplicated, replicas, partitions, leaseValid } =
          client.state();
        const owners = members.filter(({ weight }) => weight > 0);
        const isFull = underReplicated === 0 || owners.length < replicas;
        const owned = owners.reduce((sum, each) => sum + each.owned, 0);
        return (
          leaseValid &&
          owners.map(({ id }) => id).join() === [...nodes.keys()].sort().join() &&
          moving.length === 0 &&
          owned === partitions &&
          isFull
        );
      });
    },
    load(keys) {
      let stopped = false;
      const names = Array.from({ length: keys }, (_, at) => `key-${at}`);
      const runs = names.flatMap((key) =>
        (["put", "get"] as const).map(async (kind) => {
          while (!stopped) {
            await perform(kind, key);
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        }),
      );
      return {
        async stop() {
          stopped = true;
          await Promise.all(runs);
        },
      };
    },
    async answered(count) {
      const goal = history.length - errors.length + count;
      await until(() => history.length - errors.length >= goal);
    },
    async faults() {
      for (const key of versions.keys()) await perform("get", key);
      return findFaults(history);
    },
    async close() {
      for (const node of nodes.values()) node.kill("SIGKILL");
      await Promise.all([...nodes.values()].map(({ ended }) => ended));
      await client.close();
    },
  };
}
