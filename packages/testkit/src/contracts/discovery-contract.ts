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

/** Options with which {@link describeDiscovery} starts a node of the transport under test. */
export interface DiscoveryNodeOptions {
  /** A loopback address, such as `127.0.0.2`. */
  readonly host: string;
  /** A port that is free at this address. */
  readonly port: number;
  /** The discovery that the node must follow. */
  readonly discovery: PeerDiscovery;
  /** Must be called with the message of every warning of the discovery. */
  readonly onWarning: (message: string) => void;
}

/** A node that `startNode` of {@link describeDiscovery} has started. The suite closes the picker before the node. */
export interface DiscoveryNode {
  readonly picker: PeerPicker;
  close(): Promise<void>;
}

/** Options of {@link describeDiscovery}: the transport under test. */
export interface DiscoveryContractOptions {
  /** Name of the transport in the test report. */
  readonly name: string;
  /** Starts a node that listens at `host` and `port` only. Resolves when it is reachable. */
  readonly startNode: (options: DiscoveryNodeOptions) => Promise<DiscoveryNode>;
}

/**
 * Declares the tests for transports that take a `PeerDiscovery`; call it in a vitest file. Clusters find their
 * members through a real DNS server. Needs the addresses 127.0.0.1 to 127.0.0.3, and skips its tests without them.
 */
export function describeDiscovery({ name, startNode }: DiscoveryContractOptions): void {
  describe(`discovery: ${name}`, () => {
    const declare = (title: string, run: (cluster: DnsCluster) => Promise<void>): void => {
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

    declare("members join and leave with the addresses of a name", async (cluster) => {
      cluster.list(1);
      const first = await cluster.start(1);
      await cluster.agree(1);
      cluster.list(1, 2, 3);
      const [second, third] = [await cluster.start(2), await cluster.start(3)];
      await cluster.agree(1, 2, 3);
      await cluster.getAll("three nodes");
      expect(cluster.loads()).toEqual(cluster.keys("three nodes"));
      expect(third.loads.length).toBeGreaterThan(0);

      cluster.list(1, 2);
      await cluster.agree(1, 2);
      await cluster.stop(third);
      await cluster.getAll("two nodes");
      expect([...first.loads, ...second.loads].filter((key) => key.startsWith("two"))).toHaveLength(
        cluster.keys("two nodes").length,
      );
    });

    declare(
      "members are found through SRV records and the addresses of their targets",
      async (cluster) => {
        cluster.listServices(1, 2);
        await cluster.start(1, { name: serviceName });
        await cluster.start(2, { name: serviceName });
        await cluster.agree(1, 2);
        await cluster.getAll("services");
        expect(cluster.loads()).toEqual(cluster.keys("services"));
      },
    );

    declare("members are kept while DNS fails or returns no nodes", async (cluster) => {
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
      await cluster.getAll("kept");
      expect(cluster.loads()).toEqual(cluster.keys("kept"));
      for (const { warnings } of cluster.nodes) {
        expect(warnings.some((message) => message.includes("lookup of "))).toBe(true);
        expect(warnings.at(-1)).toMatch(/lists no nodes; keeping the 2 known nodes/);
      }
    });

    declare("a node serves requests alone until DNS answers", async (cluster) => {
      cluster.dns.misbehave("silent");
      await cluster.start(1);
      await cluster.getAll("alone");
      await cluster.agree(1);
      expect(cluster.loads()).toEqual(cluster.keys("alone"));
    });

    declare("updatePeers stops the discovery", async (cluster) => {
      cluster.list(1, 2);
      const node = await cluster.start(1);
      await cluster.agree(1, 2);
      node.picker.updatePeers([node.picker.selfId]);
      await expect(node.discovery.ready()).rejects.toMatchObject({ code: "CLOSED" });
      expect(node.picker.peers()).toEqual([]);
    });

    declare("close stops the discovery", async (cluster) => {
      cluster.list(1, 2);
      const node = await cluster.start(1);
      await cluster.stop(node);
      await expect(node.discovery.ready()).rejects.toMatchObject({ code: "CLOSED" });
    });
  });
}

const addressName = "parsec-peers.example";
const serviceName = "_parsec._tcp.parsec-peers.example";
/** Short, so that the tests are fast; none depends on the value. */
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

/** Nodes at 127.0.0.1 to 127.0.0.3 that find each other through DNS only. */
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

  /** Sets the addresses in DNS to those of the nodes with these numbers. */
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

  /** Waits until each of these nodes has exactly these nodes as members. */
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

  /** Gets all keys of a prefix from every node. */
  async getAll(prefix: string): Promise<void> {
    const answers = this.nodes.flatMap(({ get }) => this.keys(prefix).map((key) => get(key)));
    await Promise.all(answers);
  }

  loads(): readonly string[] {
    return this.nodes.flatMap((node) => node.loads).sort();
  }

  /** Polls until the condition holds; only the test's own timeout ends it. */
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

/** A port that is free at all three addresses; undefined when an address is missing on this machine. */
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
