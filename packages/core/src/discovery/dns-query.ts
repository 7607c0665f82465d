import { Resolver } from "node:dns/promises";
import { completeNames, type DnsSearch } from "./dns-search.ts";

/** A host, and the port where the record has one. */
export interface DnsEntry {
  readonly host: string;
  readonly port: number | undefined;
}

/** The records of a name; no entries when DNS answers that there are none. */
export interface DnsAnswer {
  /** The fully qualified name that was found. */
  readonly name: string;
  readonly entries: readonly DnsEntry[];
}

export interface DnsQuestion {
  readonly name: string;
  readonly record: "address" | "srv";
  /** Address family to resolve to; undefined to keep the host names of SRV targets. */
  readonly family: 4 | 6 | undefined;
}

/** Concurrent address lookups for the targets of one SRV answer. */
const concurrentTargets = 16;

/** One lookup of a name, with a resolver of its own, so that no state is kept between lookups. */
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
    // One retransmission of each lost packet. The caller limits the whole lookup.
    this.#resolver = new Resolver({ timeout: Math.ceil(options.timeoutMs / 3), tries: 2 });
    if (options.servers !== undefined) this.#resolver.setServers(options.servers);
    this.#search = options.search;
    this.#maxEntries = options.maxEntries;
  }

  /** Runs the lookup. Rejects with the error of Node's resolver, except for a name without records. */
  async run(question: DnsQuestion): Promise<DnsAnswer> {
    const names = completeNames(question.name, await this.#search());
    let answer: DnsAnswer | undefined;
    for (const name of names) {
      const found = await this.#entriesOf(name, question);
      // The first name that exists is the right one, even if it has no records at present.
      if (found !== undefined) return { name, entries: found };
      answer ??= { name, entries: [] };
    }
    return answer ?? { name: question.name, entries: [] };
  }

  /** Cancels a lookup in progress, which rejects. */
  cancel(): void {
    this.#cancelled = true;
    this.#resolver.cancel();
  }

  /** Undefined when the name does not exist. */
  async #entriesOf(
    name: string,
    { record, family }: DnsQuestion,
  ): Promise<readonly DnsEntry[] | undefined> {
    if (record === "address") {
      const addresses = await this.#resolveOrNone(() => this.#addresses(name, family ?? 4));
      return addresses?.map((host) => ({ host, port: undefined }));
    }
    const records = await this.#resolveOrNone(() => this.#resolver.resolveSrv(name));
    // The target "." means that the service is not available here (RFC 2782).
    const targets = records?.filter(({ name: target }) => target !== "" && target !== ".");
    const entries = targets?.map(({ name: host, port }) => ({ host, port }));
    return entries === undefined || family === undefined
      ? entries
      : await this.#addressesOf(entries, family);
  }

  async #addressesOf(targets: readonly DnsEntry[], family: 4 | 6): Promise<readonly DnsEntry[]> {
    // Each target costs a lookup.
    if (targets.length > this.#maxEntries) {
      throw new Error(`more than ${this.#maxEntries} nodes (maxPeers)`);
    }
    const hosts = [...new Set(targets.map(({ host }) => host))];
    const addresses = new Map<string, readonly string[]>();
    for (let first = 0; first < hosts.length; first += concurrentTargets) {
      const some = hosts.slice(first, first + concurrentTargets).map(async (host) => {
        const found = await this.#resolveOrNone(() => this.#addresses(host, family));
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

  /** Returns undefined when the name does not exist, and an empty list when it has no records of the type. */
  async #resolveOrNone<Found>(
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
