import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { request } from "undici";
import { benchFolder } from "../bench-folder.ts";
import type { Plan } from "../plan.ts";
import { ChildLines } from "../processes/child-lines.ts";
import { endProgram, startPinned } from "../processes/run-program.ts";
import { startNats } from "../servers/nats-server.ts";
import type { StartedServer } from "../servers/started-server.ts";
import { parsecVersion } from "../versions.ts";

// Found by path, because a dependency would make every install before the first build warn of a missing program.
const program = fileURLToPath(new URL("../apps/cache-node/dist/node.js", benchFolder));
const settleLimitMs = 30_000;

/** The part of `GET /ring` that the bench reads. */
interface RingView {
  readonly members: readonly { readonly id: string; readonly owned: number }[];
  readonly owned: readonly number[];
  readonly moving: readonly unknown[];
  readonly notServing: readonly unknown[];
  readonly underReplicated: number;
  readonly partitions: number;
}

/** A cache node in a process of its own. */
export interface CacheNode {
  readonly id: string;
  readonly url: string;
  readonly pid: number;
  /** The partitions that this node serves. */
  owned(): Promise<readonly number[]>;
}

/** Cache nodes that make up one ring. */
export class CacheCluster {
  readonly versions: string;
  readonly #nats: StartedServer | undefined;
  readonly #core: number | undefined;
  readonly #nodes: Map<string, CacheNode & { readonly lines: ChildLines }> = new Map();

  constructor(nats: StartedServer | undefined, core: number | undefined) {
    this.#nats = nats;
    this.#core = core;
    this.versions = `${parsecVersion()}${nats === undefined ? "" : `, ${nats.version}`}`;
  }

  get urls(): string[] {
    return [...this.#nodes.values()].map(({ url }) => url);
  }

  /** Starts nodes; resolves, like every change of the ring, once the ring has settled. */
  async start<Ids extends readonly string[]>(
    ...ids: Ids
  ): Promise<{ readonly [At in keyof Ids]: CacheNode }> {
    const nodes = await Promise.all(ids.map((id) => this.#start(id)));
    await this.#settled();
    return nodes as unknown as { readonly [At in keyof Ids]: CacheNode };
  }

  /** Ends a node by SIGTERM unless it has ended already. */
  async leave({ id }: CacheNode): Promise<void> {
    const lines = this.#nodes.get(id)?.lines;
    this.#nodes.delete(id);
    await lines?.end();
    await this.#settled();
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.#nodes.values()].map(({ lines }) => endProgram(lines.process, "SIGKILL")),
    );
    this.#nodes.clear();
  }

  async #start(id: string): Promise<CacheNode> {
    const where = ["--node", id, "--http", "127.0.0.1:0", "--nats", this.#nats?.url ?? "none"];
    const child = startPinned([process.execPath, program, ...where], this.#core);
    const lines = new ChildLines(child, `cache node ${id}`);
    let url = "";
    for (let message = ""; message !== "ready"; ) {
      const entry = JSON.parse(await lines.next()) as { readonly msg: string; port?: number };
      message = entry.msg;
      if (entry.port !== undefined) url = `http://127.0.0.1:${entry.port}`;
    }
    const node = {
      id,
      url,
      pid: child.pid ?? 0,
      lines,
      owned: async () => (await viewOf(url)).owned,
    };
    this.#nodes.set(id, node);
    return node;
  }

  /** Waits until the nodes of this cluster own all partitions, nothing moves and no copy is missing. */
  async #settled(): Promise<void> {
    const end = performance.now() + settleLimitMs;
    for (;;) {
      const views = await Promise.all(this.urls.map((url) => viewOf(url)));
      if (views.every((view) => this.#isSettled(view))) return;
      if (performance.now() > end)
        throw new Error(`the ring did not settle within ${settleLimitMs / 1000} s`);
      await delay(20);
    }
  }

  #isSettled(view: RingView): boolean {
    const owned = view.members.reduce((sum, member) => sum + member.owned, 0);
    const idle = view.moving.length === 0 && view.notServing.length === 0;
    const isComplete = view.members.length === this.#nodes.size && owned === view.partitions;
    return isComplete && idle && (this.#nodes.size === 1 || view.underReplicated === 0);
  }
}

/** Runs `body` with an empty ring over its own nats-server; does nothing when nats-server is not installed. */
export async function withCacheCluster(
  plan: Plan,
  body: (cluster: CacheCluster) => Promise<void>,
): Promise<void> {
  const storeFolder = await mkdtemp(join(tmpdir(), "parsec-bench-nats-"));
  try {
    const nats = await startNats(plan, { core: plan.serverCore, storeFolder });
    if (nats === undefined) {
      plan.say("nats-server is not installed: this suite is left out");
      return;
    }
    const cluster = new CacheCluster(nats, plan.serverCore);
    try {
      await body(cluster);
    } finally {
      await cluster.close();
      await endProgram(nats.process);
    }
  } finally {
    await rm(storeFolder, { recursive: true, force: true });
  }
}

async function viewOf(url: string): Promise<RingView> {
  const { body } = await request(`${url}/ring`);
  return (await body.json()) as RingView;
}
