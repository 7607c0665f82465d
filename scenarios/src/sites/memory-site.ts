import type { Peer } from "@parsec/core";
import { createMemoryNetwork } from "@parsec/testkit";
import { createClusterNode } from "../node/cluster-node.ts";
import type { ScenarioTransport, Site, SiteNode, SiteOptions } from "./site.ts";

/** Nodes in this process over the memory transport. A kill is a crash of the network's node. */
export const memoryTransport: ScenarioTransport = {
  name: "memory",
  cannot: {
    pause: "a node in this process cannot be paused alone",
    "server restart": "there is no server between the nodes",
  },
  open: async (options) => openMemorySite(options),
};

function openMemorySite({ originUrl, policy }: SiteOptions): Site {
  const network = createMemoryNetwork();
  const names = new Set<string>();
  const running = new Set<SiteNode>();
  const unreachable = new Map<string, Set<string>>();
  const downFor = (name: string): Set<string> => {
    const down = unreachable.get(name) ?? new Set();
    unreachable.set(name, down);
    return down;
  };
  return {
    findsMembers: false,
    idsOf: (wanted) => wanted,
    async start(name, members) {
      names.add(name);
      const peers = network.createPeers({ selfId: name, ids: members });
      for (const other of names) downFor(other).delete(name);
      const isDown = ({ id }: Peer): boolean => downFor(name).has(id);
      const control = createClusterNode({ peers, isDown, originUrl, policy });
      const isGone = (): void => {
        running.delete(node);
        for (const other of names) if (other !== name) downFor(other).add(name);
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
        pause: () => failPause(),
        resume: () => failPause(),
      };
      running.add(node);
      return node;
    },
    isolate(name) {
      for (const other of names) {
        if (other === name) continue;
        network.cut(name, other);
        downFor(name).add(other);
        downFor(other).add(name);
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

function failPause(): never {
  throw new Error("a node in this process cannot be paused alone");
}
