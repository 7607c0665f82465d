import type { Peer } from "@parsec/core";
import { createMemoryNetwork } from "@parsec/testkit";
import { createClusterNode } from "../node/cluster-node.ts";
import type { ScenarioTransport, Site, SiteNode, SiteOptions } from "./site.ts";

/** Nodes of this process. What kills a process elsewhere is a crash of the network's node here. */
export const memoryTransport: ScenarioTransport = {
  name: "memory",
  cannot: {
    pause: "a node of this process cannot stand still alone",
    "server restart": "there is no server between the nodes",
  },
  open: async (options) => openMemorySite(options),
};

function openMemorySite({ originUrl, policy }: SiteOptions): Site {
  const network = createMemoryNetwork();
  const names = new Set<string>();
  const running = new Set<SiteNode>();
  const unreachable = new Map<string, Set<string>>();
  const outFor = (name: string): Set<string> => {
    const out = unreachable.get(name) ?? new Set();
    unreachable.set(name, out);
    return out;
  };
  return {
    findsMembers: false,
    idsOf: (wanted) => wanted,
    async start(name, members) {
      names.add(name);
      const peers = network.createPeers({ selfId: name, ids: members });
      for (const other of names) outFor(other).delete(name);
      const isLeftOut = ({ id }: Peer): boolean => outFor(name).has(id);
      const control = createClusterNode({ peers, isLeftOut, originUrl, policy });
      const isGone = (): void => {
        running.delete(node);
        for (const other of names) if (other !== name) outFor(other).add(name);
      };
      const node: SiteNode = {
        name,
        id: name,
        control,
        async leave() {
          await control.close();
          isGone();
        },
        async kill() {
          network.crash(name);
          isGone();
          await control.close();
        },
        pause: () => cannot(),
        resume: () => cannot(),
      };
      running.add(node);
      return node;
    },
    isolate(name) {
      for (const other of names) {
        if (other === name) continue;
        network.cut(name, other);
        outFor(name).add(other);
        outFor(other).add(name);
      }
    },
    heal() {
      network.heal();
      unreachable.clear();
    },
    async close() {
      network.heal();
      await Promise.all([...running].map((node) => node.leave()));
    },
  };
}

function cannot(): never {
  throw new Error("a node of this process cannot stand still alone");
}
