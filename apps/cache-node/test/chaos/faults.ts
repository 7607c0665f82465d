import { setTimeout as pause } from "node:timers/promises";
import { vi } from "vitest";
import type { ChaosCluster } from "./chaos-cluster.ts";
import type { RegisterClients } from "./register-clients.ts";
import { giveUpMs } from "./soon.ts";

export interface FaultScene {
  readonly cluster: ChaosCluster;
  readonly clients: RegisterClients;
  readonly random: () => number;
  /** Says that from now on harm is done to the nodes of these names: their keys are watched. */
  strike(names: readonly string[]): void;
  /** Says that this was all, so that pauses from here on are those of the node's return, and not measured. */
  relent(): void;
}

/** Does harm, and mends it: afterwards the same nodes run as before, though the ring may not be at rest yet. */
export type Fault = (scene: FaultScene) => Promise<void>;

const untilNoticedMs = 4000;

function pick({ cluster, random }: FaultScene): string {
  const ids = [...cluster.nodes.keys()].sort();
  const id = ids[Math.floor(random() * ids.length)];
  if (id === undefined) throw new Error("no node runs");
  return id;
}

function others({ cluster }: FaultScene, id: string): string[] {
  return [...cluster.nodes.keys()].filter((other) => other !== id);
}

function everyone({ cluster }: FaultScene): string[] {
  return [...cluster.nodes.keys()];
}

/** Some answers later, so that nothing happens at a moment of rest. */
async function amidLoad({ clients, random }: FaultScene): Promise<void> {
  await clients.proceed(20 + Math.floor(random() * 60));
}

export type FaultName =
  | "leave"
  | "kill"
  | "standstill"
  | "hiccup"
  | "cutOff"
  | "lateMessages"
  | "natsRestart"
  | "natsGone"
  | "natsGoneLong"
  | "bucketDeleted"
  | "join"
  | "killAmidJoin"
  | "troubledLeave"
  | "twoCoordinators"
  | "peersCut"
  | "rollingRestart"
  | "twins"
  | "allLeave"
  | "allKilled"
  | "staleFirst";

export const faults: Readonly<Record<FaultName, Fault>> = {
  async leave(scene) {
    const id = pick(scene);
    const rest = others(scene, id);
    scene.strike([id]);
    await scene.cluster.leave(id);
    scene.relent();
    if (scene.random() < 0.5) await scene.cluster.settled(rest);
    await scene.cluster.start(id);
  },

  async kill(scene) {
    const id = pick(scene);
    const rest = others(scene, id);
    scene.strike([id]);
    await scene.cluster.kill(id);
    // Half of them come back before the others have noticed.
    if (scene.random() < 0.5) await scene.cluster.settled(rest);
    await scene.cluster.start(id);
  },

  /** Stopped for longer than the lease: others own by then what it believes it owns when it wakes up. */
  async standstill(scene) {
    const id = pick(scene);
    const rest = others(scene, id);
    scene.strike([id]);
    scene.cluster.pause(id);
    try {
      await scene.cluster.settled(rest);
      await amidLoad(scene);
    } finally {
      scene.cluster.resume(id);
    }
  },

  /** Stopped for about as long as the lease. */
  async hiccup(scene) {
    const id = pick(scene);
    scene.strike([id]);
    scene.cluster.pause(id);
    await pause(500 + scene.random() * 2500);
    scene.cluster.resume(id);
  },

  async cutOff(scene) {
    const id = pick(scene);
    scene.strike([id]);
    scene.cluster.cut(id);
    try {
      await scene.cluster.settled(others(scene, id));
      await amidLoad(scene);
    } finally {
      scene.cluster.heal(id, "lost");
    }
  },

  /** What it had sent and was to hear arrives when others have taken over. */
  async lateMessages(scene) {
    const id = pick(scene);
    scene.strike([id]);
    scene.cluster.cut(id);
    await pause(300 + scene.random() * 4000);
    scene.cluster.heal(id, "late");
  },

  async natsRestart(scene) {
    scene.strike(everyone(scene));
    await scene.cluster.nats.stop();
    await scene.cluster.nats.start();
  },

  /** Longer than any lease: nobody may serve, and nobody may forget. */
  async natsGone(scene) {
    scene.strike(everyone(scene));
    await scene.cluster.nats.stop();
    await pause(untilNoticedMs + scene.random() * 1000);
    await scene.cluster.nats.start();
  },

  async natsGoneLong(scene) {
    scene.strike(everyone(scene));
    await scene.cluster.nats.stop();
    await pause(10_000);
    await scene.cluster.nats.start();
  },

  async bucketDeleted(scene) {
    const { cluster } = scene;
    const before = await cluster.incarnations();
    scene.strike(everyone(scene));
    const count = await cluster.deleteBuckets();
    if (count === 0) throw new Error("there was no bucket to delete");
    await vi.waitFor(
      async () => {
        const now = await cluster.incarnations();
        if (now.some((name) => before.includes(name))) throw new Error("nobody made a new table");
      },
      { timeout: giveUpMs, interval: 25 },
    );
  },

  /** A node that was never there comes, takes its share, and goes again. */
  async join(scene) {
    const { cluster, random } = scene;
    scene.strike(everyone(scene));
    await cluster.start("guest");
    if (random() < 0.5) await cluster.settled();
    await amidLoad(scene);
    if (random() < 0.5) await cluster.leave("guest");
    else await cluster.kill("guest");
  },

  /** One node dies while another takes its share. */
  async killAmidJoin(scene) {
    const { cluster, random } = scene;
    const id = pick(scene);
    const joined = cluster.start("guest");
    await pause(random() * 800);
    scene.strike([id]);
    await cluster.kill(id);
    await joined;
    await cluster.start(id);
    await cluster.settled();
    await cluster.leave("guest");
  },

  /** Partitions move while a node that takes them stands still, or NATS is restarted. */
  async troubledLeave(scene) {
    const { cluster, random } = scene;
    const id = pick(scene);
    const [other = ""] = others(scene, id);
    scene.strike([id]);
    const left = cluster.leave(id);
    await pause(random() * 150);
    if (random() < 0.5) {
      await cluster.nats.stop();
      await cluster.nats.start();
    } else {
      cluster.pause(other);
      await pause(random() * 1500);
      cluster.resume(other);
    }
    await left;
    await cluster.start(id);
  },

  /** The node that plans first is stopped while another leaves, and writes what it had planned when others have planned already. */
  async twoCoordinators(scene) {
    const { cluster } = scene;
    const [first = "", ...rest] = [...cluster.nodes.keys()].sort();
    const leaver = rest[Math.floor(scene.random() * rest.length)] ?? "";
    scene.strike([leaver, first]);
    const left = cluster.leave(leaver);
    await pause(scene.random() * 100);
    cluster.pause(first);
    await pause(200 + scene.random() * 800);
    cluster.resume(first);
    await left;
    // Both of the others and the newcomer plan for what they see.
    await Promise.all([cluster.start(leaver), cluster.start("guest")]);
    await cluster.leave("guest");
  },

  /** Two nodes cannot hear each other, or one of them the other, while both reach NATS and the third. */
  async peersCut(scene) {
    const { cluster, random } = scene;
    const id = pick(scene);
    const among = others(scene, id);
    const other = among[Math.floor(random() * among.length)] ?? "";
    scene.strike([id, other]);
    const unmute = [cluster.mute(id, other)];
    if (random() < 0.6) unmute.push(cluster.mute(other, id));
    await pause(300 + random() * untilNoticedMs);
    await amidLoad(scene);
    const lost = unmute.map((end) => end());
    if (lost.includes(0)) throw new Error("nothing was lost by the cut");
  },

  /** One after the other leaves and comes back; some of them before the ring is at rest. */
  async rollingRestart(scene) {
    const { cluster, random } = scene;
    const ids = everyone(scene).sort();
    scene.strike(ids);
    for (const id of ids) {
      await cluster.leave(id);
      await cluster.start(id);
      if (random() < 0.5) await cluster.settled();
    }
  },

  /** A second process is started with the name of a running node: one of the two waits until the other has ended. */
  async twins(scene) {
    const { cluster, random } = scene;
    const id = pick(scene);
    scene.strike([id]);
    await cluster.start("twin", { name: id, isJoined: false });
    await pause(random() * 2000);
    await amidLoad(scene);
    if (random() < 0.5) await cluster.leave("twin");
    else await cluster.kill("twin");
  },

  /** Every node at once; for nodes that keep their data on disk. */
  async allLeave(scene) {
    const { cluster } = scene;
    const ids = everyone(scene);
    scene.strike(ids);
    await Promise.all(ids.map((id) => cluster.leave(id)));
    await Promise.all(ids.map((id) => cluster.start(id)));
  },

  async allKilled(scene) {
    const { cluster } = scene;
    const ids = everyone(scene);
    scene.strike(ids);
    await Promise.all(ids.map((id) => cluster.kill(id)));
    await Promise.all(ids.map((id) => cluster.start(id)));
  },

  /** All die, one of them before the last writes; it is the first to come back, with what is old by now. */
  async staleFirst(scene) {
    const { cluster } = scene;
    const id = pick(scene);
    const rest = others(scene, id);
    await cluster.kill(id);
    await cluster.settled(rest);
    await amidLoad(scene);
    scene.strike([id, ...rest]);
    await Promise.all(rest.map((other) => cluster.kill(other)));
    await cluster.start(id);
    await pause(scene.random() * untilNoticedMs);
    await Promise.all(rest.map((other) => cluster.start(other)));
  },
};
