import type { ChildProcess } from "node:child_process";
import type { Plan } from "../plan.ts";
import { ChildLines } from "../processes/child-lines.ts";
import { endProgram, startProgram } from "../processes/run-program.ts";
import type {
  ClusterNodeCommand,
  ClusterNodeReport,
  ClusterNodeTask,
} from "../programs/cluster-node.ts";
import { startNats } from "../servers/nats-server.ts";
import type { TransportName } from "../transports/bench-transport.ts";
import { openTransport, transportNames } from "../transports/open-transport.ts";
import { parsecVersion } from "../versions.ts";

/** Settings of the nodes of a cluster; see `ClusterNodeTask`. */
export type NodeSettings = Omit<ClusterNodeTask, "transport" | "place">;

/** A transport that can be measured on this machine. */
export interface AvailableTransport {
  readonly name: TransportName;
  readonly natsUrl: string;
  readonly versions: string;
}

/** Runs `body` with all available transports; NATS gets its own server. */
export async function withTransports<T>(
  plan: Plan,
  body: (transports: readonly AvailableTransport[]) => Promise<T>,
): Promise<T> {
  const nats = await startNats(plan, { core: undefined });
  if (nats === undefined) plan.say("nats-server is not installed: NATS is left out");
  const transports = transportNames
    .filter((name) => name !== "NATS" || nats !== undefined)
    .map((name) => {
      const server = name === "NATS" && nats !== undefined ? `, ${nats.version}` : "";
      return { name, natsUrl: nats?.url ?? "", versions: `${parsecVersion()}${server}` };
    });
  try {
    return await body(transports);
  } finally {
    if (nats !== undefined) await endProgram(nats.process);
  }
}

/** Pairs each transport with each way; in a smoke run each way once, with the transports in turn. */
export function pairsOf<Way>(
  transports: readonly AvailableTransport[],
  { ways, plan }: { readonly ways: readonly Way[]; readonly plan: Plan },
): (readonly [AvailableTransport, Way])[] {
  if (!plan.smoke) {
    return transports.flatMap((transport) => ways.map((way) => [transport, way] as const));
  }
  return ways.flatMap((way, index) => {
    const transport = transports[index % transports.length];
    return transport === undefined ? [] : [[transport, way] as const];
  });
}

/** One process of a cluster. */
export class ClusterNode {
  readonly id: string;
  readonly #lines: ChildLines;

  constructor(id: string, process: ChildProcess) {
    this.id = id;
    this.#lines = new ChildLines(process, `node ${id}`);
  }

  async ready(): Promise<void> {
    await this.#lines.next();
  }

  async send(command: ClusterNodeCommand): Promise<ClusterNodeReport> {
    return (await this.#lines.ask(command)) as ClusterNodeReport;
  }

  /** Shuts the node down gracefully and returns its last report. */
  async leave(): Promise<ClusterNodeReport> {
    this.#lines.process.kill("SIGTERM");
    const report = JSON.parse(await this.#lines.next()) as ClusterNodeReport;
    await this.#lines.end();
    return report;
  }

  /** Ends the node by SIGKILL. */
  async kill(): Promise<void> {
    await endProgram(this.#lines.process, "SIGKILL");
  }
}

/** A cluster of processes over one transport. */
export class BenchCluster {
  readonly #transport: AvailableTransport;
  readonly #nodes: Map<string, ClusterNode> = new Map();
  #serial = 0;

  constructor(transport: AvailableTransport) {
    this.#transport = transport;
  }

  get nodes(): readonly ClusterNode[] {
    return [...this.#nodes.values()];
  }

  /** Ids for nodes that are not started yet. */
  async newIds(count: number): Promise<string[]> {
    const transport = await openTransport(this.#transport.name);
    const ids: string[] = [];
    while (ids.length < count) {
      const id = await transport.newId(++this.#serial);
      if (!ids.includes(id)) ids.push(id);
    }
    return ids;
  }

  /** Starts or restarts a node. */
  async start(
    id: string,
    how: NodeSettings & { readonly members: readonly string[] },
  ): Promise<ClusterNode> {
    const { members, ...settings } = how;
    const { name, natsUrl } = this.#transport;
    const task: ClusterNodeTask = {
      ...settings,
      transport: name,
      place: { id, members, natsUrl },
    };
    const node = new ClusterNode(
      id,
      startProgram("cluster-node", { args: [JSON.stringify(task)] }),
    );
    this.#nodes.set(id, node);
    await node.ready();
    return node;
  }

  async startAll(count: number, settings: NodeSettings): Promise<readonly string[]> {
    const members = await this.newIds(count);
    await Promise.all(members.map((id) => this.start(id, { ...settings, members })));
    return members;
  }

  /** Shuts a node down gracefully and returns its last report. */
  async leave(id: string): Promise<ClusterNodeReport> {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`node ${id} is not running`);
    const report = await node.leave();
    this.#nodes.delete(id);
    return report;
  }

  /** Sends the same command to all nodes in parallel. */
  sendAll(command: ClusterNodeCommand): Promise<ClusterNodeReport[]> {
    return Promise.all(this.nodes.map((node) => node.send(command)));
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }
}

/** The sum of all nodes' fetches from the origin. */
export function fetchesOf(reports: readonly ClusterNodeReport[]): number {
  return reports.reduce((sum, report) => sum + report.fetches, 0);
}
