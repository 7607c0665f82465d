import { ParsecError } from "../errors.ts";
import { describe, invalidArgument } from "../option-checks.ts";
import type { PeerCallOptions } from "../peer.ts";
import {
  type DnsDiscoveryOptions,
  type ResolvedDnsOptions,
  resolveDnsOptions,
} from "./dns-discovery-options.ts";
import { type DnsAnswer, DnsQuery } from "./dns-query.ts";
import { FirstAnswer } from "./first-answer.ts";
import { ListedNodes } from "./listed-nodes.ts";
import { checkedNodeId, type NodeIdFormat } from "./node-id.ts";
import type { DiscoveringNode, PeerDiscovery } from "./peer-discovery.ts";

/** State and counters of a {@link DnsDiscovery}. */
export interface DnsDiscoveryStats {
  /** The present members, this node included; empty before the first answer that lists any. */
  readonly members: readonly string[];
  /** Whether the last non-empty answer listed this node. */
  readonly selfListed: boolean;
  /** Answers, empty ones included. */
  readonly answers: number;
  /** Answers that listed no nodes. They do not change the members. */
  readonly emptyAnswers: number;
  /** Lookups that failed, timed out or returned an invalid answer. They do not change the members. */
  readonly failures: number;
  /** Milliseconds since the last answer; undefined before the first. */
  readonly sinceAnswerMs: number | undefined;
  /** The present problem, as last passed to `onWarning`; undefined when there is none. */
  readonly problem: string | undefined;
}

/** Membership from a DNS name. Pass it to a transport as `discovery`. */
export interface DnsDiscovery extends PeerDiscovery {
  /** Resolves after the first answer, even an empty one; waits while lookups fail. Rejects with `ABORTED` or `CLOSED`. */
  ready(options?: PeerCallOptions): Promise<void>;
  stats(): DnsDiscoveryStats;
}

/**
 * Finds the nodes of a cluster by DNS, such as the pods behind a headless service of Kubernetes. Pass it to
 * one transport as `discovery`. Ids of other nodes have the form of this node's id, with another host. While
 * DNS fails, the known nodes stay members (ADR 0012). Throws `INVALID_ARGUMENT` naming the option.
 */
export function createDnsDiscovery(options: DnsDiscoveryOptions): DnsDiscovery {
  const watcher = new DnsWatcher(resolveDnsOptions(options));
  return {
    start: (node) => watcher.start(node),
    ready: (waiting) => watcher.ready(waiting?.signal),
    stats: () => watcher.stats(),
    close: () => watcher.close(),
  };
}

const firstRetryMs = 250;
/** Consecutive answers without this node before a warning: right after a start it is not listed yet. */
const answersBeforeWarning = 3;

/** The node whose peers are looked up, and the form of their ids. */
interface WatchedNode {
  readonly self: DiscoveringNode;
  readonly idFormat: NodeIdFormat;
}

class DnsWatcher {
  readonly #options: ResolvedDnsOptions;
  readonly #nodes: ListedNodes;
  readonly #first = new FirstAnswer();
  #node: WatchedNode | undefined;
  #query: DnsQuery | undefined;
  #cancelTimer: (() => void) | undefined;
  /** The fully qualified name that listed nodes; the only one looked up from then on. */
  #foundName: string | undefined;
  #closed = false;
  #answers = 0;
  #emptyAnswers = 0;
  #failures = 0;
  #failuresInARow = 0;
  #answersWithoutSelf = 0;
  #selfListed = false;
  #answeredAt: number | undefined;
  #problem: string | undefined;

  constructor(options: ResolvedDnsOptions) {
    this.#options = options;
    this.#nodes = new ListedNodes(options.forgetAfter);
  }

  start(self: DiscoveringNode): void {
    if (this.#closed) throw new ParsecError("CLOSED", "the DNS discovery was closed");
    if (this.#node !== undefined)
      throw invalidArgument("discovery must not be shared: create one for each node");
    this.#node = { self, idFormat: checkedNodeId(self.selfId, this.#options.record) };
    void this.#refresh(this.#node);
  }

  ready(signal: AbortSignal | undefined): Promise<void> {
    return this.#first.wait(signal);
  }

  stats(): DnsDiscoveryStats {
    const { clock } = this.#options;
    return {
      members: this.#nodes.ids(),
      selfListed: this.#selfListed,
      answers: this.#answers,
      emptyAnswers: this.#emptyAnswers,
      failures: this.#failures,
      sinceAnswerMs: this.#answeredAt === undefined ? undefined : clock.now() - this.#answeredAt,
      problem: this.#problem,
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer?.();
    this.#query?.cancel();
    this.#first.close(new ParsecError("CLOSED", "the DNS discovery was closed"));
  }

  /** Runs one lookup and schedules the next. */
  async #refresh(node: WatchedNode): Promise<void> {
    const { clock, random, refreshMs, maxBackoffMs } = this.#options;
    let problem: string | undefined;
    let delayMs = refreshMs;
    try {
      const answer = await this.#lookUp(node.idFormat);
      if (this.#closed) return;
      problem = this.#applyAnswer(answer, node);
      this.#failuresInARow = 0;
    } catch (error) {
      if (this.#closed) return;
      this.#failures++;
      // Before the first answer, retry sooner.
      const [firstMs, longestMs] =
        this.#answers === 0 ? [firstRetryMs, refreshMs] : [refreshMs, maxBackoffMs];
      delayMs = Math.min(longestMs, firstMs * 2 ** Math.min(this.#failuresInARow++, 16));
      problem = `lookup of ${this.#shownName()} failed: ${reasonOf(error)}; ${this.#keptNodes()}`;
    }
    this.#cancelTimer = clock.schedule(delayMs * (0.9 + 0.2 * random()), () => {
      void this.#refresh(node);
    });
    this.#report(problem, node.self);
  }

  async #lookUp({ family }: NodeIdFormat): Promise<DnsAnswer> {
    const { clock, servers, search, timeoutMs, maxPeers, record, name } = this.#options;
    const query = new DnsQuery({ servers, search, timeoutMs, maxEntries: maxPeers });
    this.#query = query;
    let late = false;
    const cancelTimer = clock.schedule(timeoutMs, () => {
      late = true;
      query.cancel();
    });
    try {
      const known = this.#foundName === undefined ? name : `${this.#foundName}.`;
      return await query.run({ name: known, record, family });
    } catch (error) {
      throw late ? new Error(`no answer within ${timeoutMs} ms`, { cause: error }) : error;
    } finally {
      cancelTimer();
      this.#query = undefined;
    }
  }

  /** Updates the members. Returns the problem with the answer, if any. Throws when the answer is unusable. */
  #applyAnswer(
    { name, entries }: DnsAnswer,
    { self, idFormat: spelling }: WatchedNode,
  ): string | undefined {
    const { maxPeers } = this.#options;
    const ids = new Set<string>();
    let invalidHost: string | undefined;
    for (const { host, port } of entries) {
      const id = port === 0 ? undefined : spelling.idOf(host, port);
      if (id === undefined) invalidHost ??= host;
      else ids.add(id);
    }
    if (ids.size > maxPeers) throw new Error(`more than ${maxPeers} nodes (maxPeers)`);
    this.#answers++;
    this.#answeredAt = this.#options.clock.now();
    if (ids.size === 0) this.#emptyAnswers++;
    else {
      this.#foundName = name;
      this.#selfListed = ids.has(self.selfId);
      this.#answersWithoutSelf = this.#selfListed ? 0 : this.#answersWithoutSelf + 1;
      ids.add(self.selfId);
      if (this.#nodes.apply(ids)) self.onPeers(this.#nodes.ids());
    }
    this.#first.arrive();
    if (invalidHost !== undefined)
      return `${name} lists ${describe(invalidHost)}, which is not a valid host`;
    if (ids.size === 0) return `${name} lists no nodes; ${this.#keptNodes()}`;
    if (this.#answersWithoutSelf < answersBeforeWarning) return undefined;
    return `${name} does not list this node: check that others can reach it as ${self.selfId}`;
  }

  #report(problem: string | undefined, self: DiscoveringNode): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    self.onWarning(`DNS: ${problem ?? `${this.#shownName()} recovered`}`);
  }

  #shownName(): string {
    return this.#foundName ?? this.#options.name;
  }

  #keptNodes(): string {
    const count = this.#nodes.ids().length;
    if (count === 0) return "no other nodes are known yet";
    return count === 1 ? "keeping the 1 known node" : `keeping the ${count} known nodes`;
  }
}

/** The error code if there is one: Node's messages repeat the record type and the name. */
function reasonOf(error: unknown): string {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return String(code ?? message);
}
