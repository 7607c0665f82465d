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

/** What a DNS discovery has seen. */
export interface DnsDiscoveryStats {
  /** The nodes that count at the moment, this one included; empty before the first answer that lists any. */
  readonly members: readonly string[];
  /** Whether the last answer that listed any node listed this one, too. */
  readonly selfListed: boolean;
  /** Answers, those that listed nobody included. */
  readonly answers: number;
  /** Answers that listed nobody. They leave the members as they are. */
  readonly emptyAnswers: number;
  /** Times that DNS could not be asked, or answered what is of no use. They leave the members as they are. */
  readonly failures: number;
  /** How long ago the last answer came; undefined before the first. */
  readonly sinceAnswerMs: number | undefined;
  /** What is wrong at the moment; undefined when nothing is. */
  readonly trouble: string | undefined;
}

/** Finds the nodes of a cluster by a name in DNS, and follows it. */
export interface DnsDiscovery extends PeerDiscovery {
  /** Resolves once DNS has answered, be it that it lists nobody yet. Rejects with `ABORTED` or `CLOSED`; failures are waited out. */
  ready(options?: PeerCallOptions): Promise<void>;
  stats(): DnsDiscoveryStats;
}

/**
 * Finds peers by DNS, such as the pods behind a headless service of Kubernetes. Give it to one transport
 * as `discovery`; the others are spelled as the id of that node is. See ADR 0012 for what it does when
 * DNS fails. Throws `INVALID_ARGUMENT` naming the option that is wrong.
 */
export function createDnsDiscovery(options: DnsDiscoveryOptions): DnsDiscovery {
  const looking = new DnsLookout(resolveDnsOptions(options));
  return {
    start: (node) => looking.start(node),
    ready: (waiting) => looking.ready(waiting?.signal),
    stats: () => looking.stats(),
    close: () => looking.close(),
  };
}

const firstRetryMs = 250;
/** Answers without this node before somebody is told: right after a start it is not listed yet. */
const patientAnswers = 3;

/** The node whose peers are looked for, and how they are called. */
interface LookedFor {
  readonly self: DiscoveringNode;
  readonly spelling: NodeIdFormat;
}

class DnsLookout {
  readonly #options: ResolvedDnsOptions;
  readonly #nodes: ListedNodes;
  readonly #first = new FirstAnswer();
  #node: LookedFor | undefined;
  #query: DnsQuery | undefined;
  #cancelTimer: (() => void) | undefined;
  /** The complete name under which nodes were found; asked alone from then on. */
  #foundName: string | undefined;
  #closed = false;
  #answers = 0;
  #emptyAnswers = 0;
  #failures = 0;
  #failuresInARow = 0;
  #answersWithoutSelf = 0;
  #selfListed = false;
  #answeredAt: number | undefined;
  #trouble: string | undefined;

  constructor(options: ResolvedDnsOptions) {
    this.#options = options;
    this.#nodes = new ListedNodes(options.forgetAfter);
  }

  start(self: DiscoveringNode): void {
    if (this.#closed) throw new ParsecError("CLOSED", "the discovery was closed");
    if (this.#node !== undefined)
      throw invalidArgument("a discovery serves one node; make another");
    this.#node = { self, spelling: checkedNodeId(self.selfId, this.#options.record) };
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
      trouble: this.#trouble,
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer?.();
    this.#query?.cancel();
    this.#first.close(new ParsecError("CLOSED", "the discovery was closed"));
  }

  /** Asks once, and sees to it that it is asked again: one question at a time. */
  async #refresh(node: LookedFor): Promise<void> {
    const { clock, random, refreshMs, maxBackoffMs } = this.#options;
    let trouble: string | undefined;
    let delayMs = refreshMs;
    try {
      const answer = await this.#ask(node.spelling);
      if (this.#closed) return;
      trouble = this.#take(answer, node);
      this.#failuresInARow = 0;
    } catch (error) {
      if (this.#closed) return;
      this.#failures++;
      // A node that knows nobody yet has reason to hurry.
      const [firstMs, longestMs] =
        this.#answers === 0 ? [firstRetryMs, refreshMs] : [refreshMs, maxBackoffMs];
      delayMs = Math.min(longestMs, firstMs * 2 ** Math.min(this.#failuresInARow++, 16));
      trouble = `${this.#shownName()} cannot be looked up: ${reasonOf(error)}; ${this.#kept()}`;
    }
    this.#cancelTimer = clock.schedule(delayMs * (0.9 + 0.2 * random()), () => {
      void this.#refresh(node);
    });
    this.#tell(trouble, node.self);
  }

  async #ask({ family }: NodeIdFormat): Promise<DnsAnswer> {
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
      return await query.ask({ name: known, record, family });
    } catch (error) {
      throw late ? new Error(`no answer within ${timeoutMs} ms`, { cause: error }) : error;
    } finally {
      cancelTimer();
      this.#query = undefined;
    }
  }

  /** Returns what is wrong with the answer, if anything. Throws when it is of no use. */
  #take({ name, entries }: DnsAnswer, { self, spelling }: LookedFor): string | undefined {
    const { maxPeers } = this.#options;
    const ids = new Set<string>();
    let unusable: string | undefined;
    for (const { host, port } of entries) {
      const id = port === 0 ? undefined : spelling.idOf(host, port);
      if (id === undefined) unusable ??= host;
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
      if (this.#nodes.hear(ids)) self.onPeers(this.#nodes.ids());
    }
    this.#first.arrive();
    if (unusable !== undefined) return `${name} lists ${describe(unusable)}, which is no host`;
    if (ids.size === 0) return `${name} lists no nodes; ${this.#kept()}`;
    if (this.#answersWithoutSelf < patientAnswers) return undefined;
    return `${name} does not list this node as ${self.selfId}: is that how others reach it?`;
  }

  #tell(trouble: string | undefined, self: DiscoveringNode): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    self.onWarning(`DNS: ${trouble ?? `${this.#shownName()} is in order again`}`);
  }

  #shownName(): string {
    return this.#foundName ?? this.#options.name;
  }

  #kept(): string {
    const count = this.#nodes.ids().length;
    if (count === 0) return "no others are known yet";
    return count === 1 ? "the one node known is kept" : `the ${count} nodes known are kept`;
  }
}

/** Node's own messages repeat the kind of question and the name; the code says enough. */
function reasonOf(error: unknown): string {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return String(code ?? message);
}
