import type { Change, LoadPlan, LoadReport, VersionRead } from "../node/node-control.ts";
import type { Site, SiteNode } from "../sites/site.ts";
import { findStaleReads, type StaleRead } from "./stale-reads.ts";
import { until } from "./until.ts";

/** Results of all callers of a scenario. */
export interface LoadTotals {
  readonly requests: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly longestMs: number;
}

/** The nodes of one scenario and their results. */
export class Cluster {
  readonly #site: Site;
  readonly #nodes: Map<string, SiteNode> = new Map();
  readonly #loaded: Set<string> = new Set();
  readonly #reports: { readonly nodeId: string; readonly report: LoadReport }[] = [];
  readonly #changes: Change[] = [];
  #members: readonly string[] = [];

  constructor(site: Site) {
    this.#site = site;
  }

  node(name: string): SiteNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`node ${name} has not been started`);
    return node;
  }

  /** Starts nodes with each other as members, and waits until each reaches all. */
  async start(names: readonly string[]): Promise<void> {
    this.#members = names;
    await Promise.all(names.map((name) => this.startOne(name)));
    await this.untilAllReach(names);
  }

  /** Starts or restarts one member. */
  async startOne(name: string): Promise<void> {
    this.#nodes.set(name, await this.#site.start(name, this.#members));
  }

  /** Starts one more member, and updates the lists of the others unless they discover it. */
  async join(name: string): Promise<void> {
    this.#members = [...this.#members, name];
    await this.startOne(name);
    if (!this.#site.findsMembers) await this.setMembers(this.#members, this.#members);
  }

  /** Sets the members of some nodes. */
  async setMembers(names: readonly string[], members: readonly string[]): Promise<void> {
    const ids = this.#site.idsOf(members);
    await Promise.all(names.map((name) => this.node(name).control.updatePeers(ids)));
  }

  idsOf(names: readonly string[]): readonly string[] {
    return this.#site.idsOf(names);
  }

  /** Waits until each of these nodes reaches exactly these nodes, including itself. */
  async untilAllReach(
    reached: readonly string[],
    names: readonly string[] = reached,
  ): Promise<void> {
    const expected = this.#site.idsOf(reached).toSorted().join();
    await until(`${names} reach ${reached} only`, async () => {
      const states = await Promise.all(names.map((name) => this.node(name).control.state()));
      return states.every(({ reachable }) => reachable.join() === expected);
    });
  }

  isolate(name: string): void {
    this.#site.isolate(name);
  }

  heal(): void {
    this.#site.heal();
  }

  async startLoad(names: readonly string[], plan: LoadPlan): Promise<void> {
    for (const name of names) this.#loaded.add(name);
    await Promise.all(names.map((name) => this.node(name).control.startLoad(plan)));
  }

  /** Waits until the callers of each of these nodes have this many more answers. */
  async untilAnswered(names: readonly string[], more: number): Promise<void> {
    const answered = async (): Promise<number[]> => {
      const reports = await Promise.all(names.map((name) => this.node(name).control.loadSoFar()));
      return reports.map((report) => report.answered);
    };
    const before = await answered();
    await until(`callers of ${names} had ${more} more answers`, async () =>
      (await answered()).every((now, index) => now >= (before[index] ?? 0) + more),
    );
  }

  /** Stops the load of these nodes, or of all, and keeps the results. */
  async stopLoad(names: readonly string[] = [...this.#loaded]): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        const { id, control } = this.node(name);
        const report = await control.stopLoad();
        this.#loaded.delete(name);
        this.#reports.push({ nodeId: id, report });
        this.#changes.push(...report.changes);
      }),
    );
  }

  /** The results of all stopped loads. */
  totals(): LoadTotals {
    const failures: Record<string, number> = {};
    for (const { report } of this.#reports) {
      for (const [code, count] of Object.entries(report.failures)) {
        failures[code] = (failures[code] ?? 0) + count;
      }
    }
    return {
      requests: this.#reports.reduce((sum, { report }) => sum + report.requests, 0),
      failures,
      longestMs: Math.max(0, ...this.#reports.map(({ report }) => report.longestMs)),
    };
  }

  /** Changes keys at a node and records the changes. */
  async change(name: string, keys: readonly string[]): Promise<readonly Change[]> {
    const changes = await this.node(name).control.change(keys);
    this.#changes.push(...changes);
    return changes;
  }

  /** Changes keys at a node until all nodes acknowledge: a node that has just returned may lose a message. */
  async untilAllAcknowledge(name: string, keys: readonly string[]): Promise<void> {
    await until("all nodes acknowledge", async () => {
      const changes = await this.change(name, keys);
      return changes.every(({ failed }) => failed.length === 0);
    });
  }

  /** All changes so far, including those of stopped loads. */
  get changes(): readonly Change[] {
    return this.#changes;
  }

  /** Adds changes that nodes must serve, such as those that a node received later. */
  expectServed(changes: readonly Change[]): void {
    this.#changes.push(...changes);
  }

  /** Waits until these nodes serve the newest version of all changed keys. */
  async untilAllServeNewest(names: readonly string[]): Promise<void> {
    const newest = new Map<string, number>();
    for (const { key, version } of this.#changes) {
      newest.set(key, Math.max(version, newest.get(key) ?? 0));
    }
    const keys = [...newest.keys()];
    await until(`${names} serve the newest versions`, async () => {
      const outcomes = await Promise.all(names.map((name) => this.node(name).control.get(keys)));
      return outcomes.every((ofNode) =>
        ofNode.every((outcome, index) => outcome === newest.get(keys[index] as string)),
      );
    });
  }

  /** Stale reads of all stopped loads. Call it after `stopLoad`. */
  staleReads(): readonly StaleRead[] {
    const reads = new Map<string, VersionRead[]>();
    for (const { nodeId, report } of this.#reports) {
      reads.set(nodeId, [...(reads.get(nodeId) ?? []), ...report.reads]);
    }
    return findStaleReads(reads, this.#changes);
  }

  async close(): Promise<void> {
    await this.#site.close();
  }
}
