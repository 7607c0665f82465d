import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import {
  createDnsDiscovery,
  createGroupCache,
  type DnsDiscovery,
  type GroupCache,
  type PeerDiscovery,
  type PeerPicker,
} from "@parsec/core";
import { describe, expect, it } from "vitest";
import { type DnsServer, startDnsServer } from "../dns/dns-server.ts";

/** A node of a transport that takes a discovery, as the suite wants it started. */
export interface DiscoveryNodeOptions {
  /** An address of this machine, such as `127.0.0.2`. */
  readonly host: string;
  /** Free at this address. */
  readonly port: number;
  readonly discovery: PeerDiscovery;
  /** Where what the discovery warns of has to arrive. */
  readonly onWarning: (message: string) => void;
}

/** A started node. The suite closes the picker first. */
export interface DiscoveryNode {
  readonly picker: PeerPicker;
  close(): Promise<void>;
}

/** A transport that is to prove that it follows a discovery. */
export interface DiscoveryContractOptions {
  /** What the test report calls the transport. */
  readonly name: string;
  /** Starts a node that is known to be nowhere but at `host` and `port`, and reachable there when this resolves. */
  readonly startNode: (options: DiscoveryNodeOptions) => Promise<DiscoveryNode>;
}

/**
 * Declares the suite for transports that take a `PeerDiscovery`, in a vitest file: clusters that grow and
 * shrink by a real DNS server. Needs 127.0.0.1 to 127.0.0.3; where there is only the first it is skipped.
 */
export function describeDiscovery({ name, startNode }: DiscoveryContractOptions): void {
  describe(`discovery: ${name}`, () => {
    const demand = (title: string, run: (cluster: DnsCluster) => Promise<void>): void => {
      it(title, async ({ skip }) => {
        const port = await commonPort();
        if (port === undefined) return skip("this machine has no address 127.0.0.2");
        const cluster = new DnsCluster(await startDnsServer(), { port, startNode });
        try {
          await run(cluster);
        } finally {
          await cluster.close();
        }
      });
    };

    demand("grows and shrinks with the addresses of a name", async (cluster) => {
      cluster.list(1);
      const first = await cluster.start(1);
      await cluster.agree(1);
      cluster.list(1, 2, 3);
      const [second, third] = [await cluster.start(2), await cluster.start(3)];
      await cluster.agree(1, 2, 3);
      await cluster.askAll("three nodes");
      expect(cluster.loads()).toEqual(cluster.keys("three nodes"));
      expect(third.loads.length).toBeGreaterThan(0);

      cluster.list(1, 2);
      await cluster.agree(1, 2);
      await cluster.stop(third);
      await cluster.askAll("two nodes");
      expect([...first.loads, ...second.loads].filter((key) => key.startsWith("two"))).toHaveLength(
        cluster.keys("two nodes").length,
      );
    });

    demand("follows SRV records, whose targets it looks up", async (cluster) => {
      cluster.listServices(1, 2);
      await cluster.start(1, { name: serviceName });
      await cluster.start(2, { name: serviceName });
      await cluster.agree(1, 2);
      await cluster.askAll("services");
      expect(cluster.loads()).toEqual(cluster.keys("services"));
    });

    demand("keeps its members while DNS fails or lists nobody", async (cluster) => {
      cluster.list(1, 2);
      await cluster.start(1);
      await cluster.start(2);
      await cluster.agree(1, 2);
      cluster.dns.misbehave("failed");
      await cluster.until(() => cluster.nodes.every((node) => node.discovery.stats().failures > 1));
      cluster.dns.misbehave("none");
      cluster.list();
      await cluster.until(() =>
        cluster.nodes.every((node) => node.discovery.stats().emptyAnswers > 2),
      );
      await cluster.agree(1, 2);
      await cluster.askAll("kept");
      expect(cluster.loads()).toEqual(cluster.keys("kept"));
      for (const { warnings } of cluster.nodes) {
        expect(warnings.some((message) => message.includes("lookup of "))).toBe(true);
        expect(warnings.at(-1)).toMatch(/lists no nodes; keeping the 2 known nodes/);
      }
    });

    demand("serves alone until DNS answers", async (cluster) => {
      cluster.dns.misbehave("silent");
      await cluster.start(1);
      await cluster.askAll("alone");
      await cluster.agree(1);
      expect(cluster.loads()).toEqual(cluster.keys("alone"));
    });

    demand("lets a membership that is given by hand end the discovery", async (cluster) => {
      cluster.list(1, 2);
      const node = await cluster.start(1);
      await cluster.agree(1, 2);
      node.picker.updatePeers([node.picker.selfId]);
      await expect(node.discovery.ready()).rejects.toMatchObject({ code: "CLOSED" });
      expect(node.picker.peers()).toEqual([]);
    });

    demand("ends the discovery when it is closed", async (cluster) => {
      cluster.list(1, 2);
      const node = await cluster.start(1);
      await cluster.stop(node);
      await expect(node.discovery.ready()).rejects.toMatchObject({ code: "CLOSED" });
    });
  });
}

const addressName = "parsec-peers.example";
const serviceName = "_parsec._tcp.parsec-peers.example";
/** Short, so that the suite need not wait for long; nothing depends on how long it is. */
const refreshMs = 20;

interface ClusterNode extends DiscoveryNode {
  readonly number: number;
  readonly discovery: DnsDiscovery;
  readonly cache: GroupCache;
  readonly warnings: string[];
  /** Keys that this node fetched from the origin. */
  readonly loads: string[];
  get(key: string): Promise<unknown>;
}

/** Nodes at 127.0.0.1 and so on that know one another by DNS alone. */
class DnsCluster {
  readonly dns: DnsServer;
  nodes: readonly ClusterNode[] = [];
  readonly #port: number;
  readonly #startNode: DiscoveryContractOptions["startNode"];

  constructor(
    dns: DnsServer,
    options: { readonly port: number; readonly startNode: DiscoveryContractOptions["startNode"] },
  ) {
    this.dns = dns;
    this.#port = options.port;
    this.#startNode = options.startNode;
  }

  /** Has DNS list the nodes with these numbers. */
  list(...numbers: readonly number[]): void {
    this.dns.set(addressName, { addresses: numbers.map(hostOf) });
  }

  listServices(...numbers: readonly number[]): void {
    const target = (number: number): string => `node-${number}.example`;
    for (const number of numbers) this.dns.set(target(number), { addresses: [hostOf(number)] });
    const services = numbers.map((number) => ({ host: target(number), port: this.#port }));
    this.dns.set(serviceName, { services });
  }

  async start(number: number, { name = addressName } = {}): Promise<ClusterNode> {
    const discovery = createDnsDiscovery({
      name,
      servers: [this.dns.address],
      refreshMs,
      maxBackoffMs: refreshMs,
    });
    const warnings: string[] = [];
    const started = await this.#startNode({
      host: hostOf(number),
      port: this.#port,
      discovery,
      onWarning: (message) => warnings.push(message),
    });
    const cache = createGroupCache({ peers: started.picker });
    const loads: string[] = [];
    const group = cache.group("users", {
      hot: false,
      load: (key) => {
        loads.push(key);
        return `value of ${key}`;
      },
    });
    const get = (key: string): Promise<unknown> => group.get(key);
    const node = { ...started, number, discovery, cache, warnings, loads, get };
    this.nodes = [...this.nodes, node];
    return node;
  }

  async stop(node: ClusterNode): Promise<void> {
    this.nodes = this.nodes.filter((other) => other !== node);
    await node.cache.close();
    await node.close();
  }

  /** Waits until each of these nodes sees these nodes and no others. */
  async agree(...numbers: readonly number[]): Promise<void> {
    const count = numbers.length;
    const among = this.nodes.filter(({ number }) => numbers.includes(number));
    const hosts = numbers.map(hostOf);
    await this.until(() =>
      among.every(({ picker }) => {
        const ids = [picker.selfId, ...picker.peers().map(({ id }) => id)];
        return ids.length === count && hosts.every((host) => ids.some((id) => id.includes(host)));
      }),
    );
  }

  keys(prefix: string): readonly string[] {
    return Array.from({ length: 30 }, (_, index) => `${prefix} ${String(index).padStart(2, "0")}`);
  }

  /** Asks every node for all keys of a prefix. */
  async askAll(prefix: string): Promise<void> {
    const asked = this.nodes.flatMap(({ get }) => this.keys(prefix).map((key) => get(key)));
    await Promise.all(asked);
  }

  loads(): readonly string[] {
    return this.nodes.flatMap((node) => node.loads).sort();
  }

  /** Waits for a condition; the test's own time limit ends it. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await this.stop(node);
    await this.dns.close();
  }
}

function hostOf(number: number): string {
  return `127.0.0.${number}`;
}

/** A port that is free at all addresses of the suite; undefined where there are none but the first. */
async function commonPort(): Promise<number | undefined> {
  for (;;) {
    const servers = [net.createServer(), net.createServer(), net.createServer()];
    try {
      let port = 0;
      for (const [index, server] of servers.entries()) {
        server.listen(port, hostOf(index + 1));
        await once(server, "listening");
        port = (server.address() as AddressInfo).port;
      }
      return port;
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code === "EADDRNOTAVAIL") return undefined;
      if (code !== "EADDRINUSE") throw error;
    } finally {
      const open = servers.filter((server) => server.listening);
      await Promise.all(open.map((server) => new Promise((resolve) => server.close(resolve))));
    }
  }
}
