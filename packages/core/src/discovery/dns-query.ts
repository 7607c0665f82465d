import { Resolver } from "node:dns/promises";
import { completeNames, type DnsSearch } from "./dns-search.ts";

/** A host, and the port where the record has one. */
export interface DnsEntry {
  readonly host: string;
  readonly port: number | undefined;
}

/** What a name stands for; no entries when DNS says that there are none. */
export interface DnsAnswer {
  /** The complete name that answered. */
  readonly name: string;
  readonly entries: readonly DnsEntry[];
}

export interface DnsQuestion {
  readonly name: string;
  readonly record: "address" | "srv";
  /** Addresses of this family are wanted; undefined: names will do. */
  readonly family: 4 | 6 | undefined;
}

/** Targets of one SRV answer that are looked up at the same time. */
const concurrentTargets = 16;

/** One round of questions to DNS servers, with a resolver of its own, so that nothing is remembered. */
export class DnsQuery {
  readonly #resolver: Resolver;
  readonly #search: () => Promise<DnsSearch>;
  readonly #maxEntries: number;
  #cancelled = false;

  constructor(options: {
    readonly servers: readonly string[] | undefined;
    readonly search: () => Promise<DnsSearch>;
    readonly timeoutMs: number;
    readonly maxEntries: number;
  }) {
    // Each question is sent a second time when the first was lost; the caller's own time limit goes above it.
    this.#resolver = new Resolver({ timeout: Math.ceil(options.timeoutMs / 3), tries: 2 });
    if (options.servers !== undefined) this.#resolver.setServers(options.servers);
    this.#search = options.search;
    this.#maxEntries = options.maxEntries;
  }

  /** Asks. Rejects with what Node's resolver rejects with, other than that there is nothing. */
  async ask(question: DnsQuestion): Promise<DnsAnswer> {
    const names = completeNames(question.name, await this.#search());
    let answer: DnsAnswer | undefined;
    for (const name of names) {
      const found = await this.#entriesOf(name, question);
      // A name that exists is the one, though it may have nothing at the moment.
      if (found !== undefined) return { name, entries: found };
      answer ??= { name, entries: [] };
    }
    return answer ?? { name: question.name, entries: [] };
  }

  /** Makes what is under way reject. */
  cancel(): void {
    this.#cancelled = true;
    this.#resolver.cancel();
  }

  /** Undefined when there is no such name. */
  async #entriesOf(
    name: string,
    { record, family }: DnsQuestion,
  ): Promise<readonly DnsEntry[] | undefined> {
    if (record === "address") {
      const addresses = await this.#unlessNone(() => this.#addresses(name, family ?? 4));
      return addresses?.map((host) => ({ host, port: undefined }));
    }
    const records = await this.#unlessNone(() => this.#resolver.resolveSrv(name));
    // The target "." says that there is decidedly no such service (RFC 2782).
    const targets = records?.filter(({ name: target }) => target !== "" && target !== ".");
    const entries = targets?.map(({ name: host, port }) => ({ host, port }));
    return entries === undefined || family === undefined
      ? entries
      : await this.#addressesOf(entries, family);
  }

  async #addressesOf(targets: readonly DnsEntry[], family: 4 | 6): Promise<readonly DnsEntry[]> {
    // Each costs a question.
    if (targets.length > this.#maxEntries) {
      throw new Error(`more than ${this.#maxEntries} nodes (maxPeers)`);
    }
    const hosts = [...new Set(targets.map(({ host }) => host))];
    const addresses = new Map<string, readonly string[]>();
    for (let first = 0; first < hosts.length; first += concurrentTargets) {
      const some = hosts.slice(first, first + concurrentTargets).map(async (host) => {
        const found = await this.#unlessNone(() => this.#addresses(host, family));
        addresses.set(host, found ?? []);
      });
      await Promise.all(some);
    }
    return targets.flatMap(({ host, port }) =>
      (addresses.get(host) ?? []).map((address) => ({ host: address, port })),
    );
  }

  #addresses(name: string, family: 4 | 6): Promise<readonly string[]> {
    return family === 4 ? this.#resolver.resolve4(name) : this.#resolver.resolve6(name);
  }

  /** Tells "no such name" (undefined) and "nothing of that kind" (empty) from failures. */
  async #unlessNone<Found>(
    ask: () => Promise<readonly Found[]>,
  ): Promise<readonly Found[] | undefined> {
    if (this.#cancelled) throw new Error("cancelled");
    try {
      return await ask();
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code === "ENODATA") return [];
      if (code === "ENOTFOUND") return undefined;
      throw error;
    }
  }
}
