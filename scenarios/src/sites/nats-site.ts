import { randomUUID } from "node:crypto";
import type { NatsServer } from "@parsec/nats-fixtures";
import { NodeProcesses } from "./process-site.ts";
import type { ScenarioTransport, Site, SiteOptions } from "./site.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

/** Nodes that find each other through a NATS server, which all scenarios of a file share. */
export function natsTransport(name: string, server: () => NatsServer): ScenarioTransport {
  return {
    name,
    cannot: {},
    open: (options) => openNatsSite(server(), options),
    server: { stop: () => server().stop(), start: () => server().start() },
  };
}

async function openNatsSite(server: NatsServer, options: SiteOptions): Promise<Site> {
  const cluster = randomUUID();
  const proxies = new Map<string, TcpProxy>();
  const processes = new NodeProcesses(options);
  return {
    findsMembers: true,
    idsOf: (wanted) => wanted,
    async start(name) {
      let proxy = proxies.get(name);
      if (options.isolating && proxy === undefined) {
        proxy = await startTcpProxy(server.port);
        proxies.set(name, proxy);
      }
      const url = `nats://127.0.0.1:${proxy?.port ?? server.port}`;
      const transport = { kind: "nats", nodeId: name, cluster, server: url } as const;
      return await processes.start(name, { id: name, transport });
    },
    isolate: (name) => proxies.get(name)?.cut(),
    heal() {
      for (const proxy of proxies.values()) proxy.heal();
    },
    async close() {
      await processes.close();
      await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
    },
  };
}
