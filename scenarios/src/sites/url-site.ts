import { freePorts } from "./free-ports.ts";
import { NodeProcesses } from "./process-site.ts";
import type { ScenarioTransport, Site, SiteOptions } from "./site.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

const noServer = { "server restart": "there is no server between the nodes" } as const;

export const httpTransport: ScenarioTransport = {
  name: "http",
  cannot: noServer,
  open: (options) => openUrlSite("http", options),
};

export const grpcTransport: ScenarioTransport = {
  name: "grpc",
  cannot: noServer,
  open: (options) => openUrlSite("grpc", options),
};

/** Node names that scenarios may use. */
const names = ["a", "b", "c", "d"] as const;

/** The connection from one node to another, through a proxy. */
interface Link {
  readonly from: string;
  readonly to: string;
  readonly targetPort: number;
  readonly proxy: TcpProxy;
}

/** Opens nodes that reach each other by URLs. */
async function openUrlSite(kind: "http" | "grpc", options: SiteOptions): Promise<Site> {
  const ports = await freePorts(names.length);
  const places = names.map((name, index) => ({ name, port: ports[index] as number }));
  const urls = new Map(
    places.map(({ name, port }) => [name as string, `${kind}://127.0.0.1:${port}`]),
  );
  const idsOf = (wanted: readonly string[]): string[] =>
    wanted.map((name) => urls.get(name) ?? `no address for ${name}`);
  const links: Link[] = [];
  if (options.isolating) {
    for (const from of names) {
      for (const { name: to, port: targetPort } of places) {
        if (to !== from)
          links.push({ from, to, targetPort, proxy: await startTcpProxy(targetPort) });
      }
    }
  }
  const processes = new NodeProcesses(options);
  return {
    findsMembers: false,
    idsOf,
    start(name, members) {
      const [id = ""] = idsOf([name]);
      const transport = { kind, selfUrl: id, peerUrls: idsOf(members) };
      const fromHere = links.filter(({ from }) => from === name);
      const routes = Object.fromEntries(
        fromHere.map(({ targetPort, proxy }) => [targetPort, proxy.port]),
      );
      return processes.start(name, { id, transport, routes });
    },
    isolate(name) {
      for (const { from, to, proxy } of links) if (from === name || to === name) proxy.cut();
    },
    heal() {
      for (const { proxy } of links) proxy.heal();
    },
    async close() {
      await processes.close();
      await Promise.all(links.map(({ proxy }) => proxy.close()));
    },
  };
}
