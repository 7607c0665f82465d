import type { Change, LoadPlan, LoadReport, VersionRead } from "../node/node-control.ts";
import type { Site, SiteNode } from "../sites/site.ts";
import { findStaleReads, type StaleRead } from "./stale-reads.ts";
import { until } from "./until.ts";

/** What all callers of a scenario have met. */
export interface LoadTotals {
  readonly asked: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly longestMs: number;
}

/** The nodes of one scenario, and what was seen of them. */
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
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }

  /** Starts nodes that are all the members there are, and waits until each reaches all. */
  async start(names: readonly string[]): Promise<void> {
    this.#members = names;
    await Promise.all(names.map((name) => this.startOne(name)));
    await this.untilAllReach(names);
  }

  /** Starts one of the members, again or for the first time. */
  async startOne(name: string): Promise<void> {
    this.#nodes.set(name, await this.#site.start(name, this.#members));
  }

  /** Starts one more; the others are told of it unless they find it. */
  async join(name: string): Promise<void> {
    this.#members = [...this.#members, name];
    await this.startOne(name);
    if (!this.#site.findsMembers) await this.setMembers(this.#members, this.#members);
  }

  /** Has some nodes believe in these members. */
  async setMembers(names: readonly string[], members: readonly string[]): Promise<void> {
    const ids = this.#site.idsOf(members);
    await Promise.all(names.map((name) => this.node(name).control.updatePeers(ids)));
  }

  idsOf(names: readonly string[]): readonly string[] {
    return this.#site.idsOf(names);
  }

  /** Waits until each of these nodes asks exactly these, itself among them. */
  async untilAllReach(
    reached: readonly string[],
    names: readonly string[] = reached,
  ): Promise<void> {
    const expected = this.#site.idsOf(reached).toSorted().join();
    await until(`${names} reach ${reached} and nobody else`, async () => {
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

  /** Waits until callers of each of these nodes have had so many more answers. */
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

  /** Stops the callers of these nodes, or of all, and keeps what they met. */
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

  /** What callers have met whose load was stopped. */
  totals(): LoadTotals {
    const failures: Record<string, number> = {};
    for (const { report } of this.#reports) {
      for (const [code, count] of Object.entries(report.failures)) {
        failures[code] = (failures[code] ?? 0) + count;
      }
    }
    return {
      asked: this.#reports.reduce((sum, { report }) => sum + report.asked, 0),
      failures,
      longestMs: Math.max(0, ...this.#reports.map(({ report }) => report.longestMs)),
    };
  }

  /** Changes keys at a node, and takes note. */
  async change(name: string, keys: readonly string[]): Promise<readonly Change[]> {
    const changes = await this.node(name).control.change(keys);
    this.#changes.push(...changes);
    return changes;
  }

  /** Changes keys at a node until everybody acknowledges: who is just back may still lose a message. */
  async untilAllAcknowledge(name: string, keys: readonly string[]): Promise<void> {
    await until("everybody acknowledges", async () => {
      const changes = await this.change(name, keys);
      return changes.every(({ failed }) => failed.length === 0);
    });
  }

  /** All changes so far, those of stopped loads among them. */
  get changes(): readonly Change[] {
    return this.#changes;
  }

  /** What has to be served from now on, such as by a node that was told of changes later. */
  demand(changes: readonly Change[]): void {
    this.#changes.push(...changes);
  }

  /** Waits until none of these nodes serves anything older than what was ever changed. */
  async untilAllLearned(names: readonly string[]): Promise<void> {
    const newest = new Map<string, number>();
    for (const { key, version } of this.#changes) {
      newest.set(key, Math.max(version, newest.get(key) ?? 0));
    }
    const keys = [...newest.keys()];
    await until(`${names} have learned what changed`, async () => {
      const outcomes = await Promise.all(names.map((name) => this.node(name).control.get(keys)));
      return outcomes.every((ofNode) =>
        ofNode.every((outcome, index) => outcome === newest.get(keys[index] as string)),
      );
    });
  }

  /** Answers that were older than what their node had acknowledged. To be called when all loads are stopped. */
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
