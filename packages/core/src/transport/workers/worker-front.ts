import { randomInt } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { isParsecError, ParsecError } from "../../errors.ts";
import type {
  PeerAnswer,
  PeerCallOptions,
  PeerContact,
  PeerContactAnswer,
  PeerEntry,
  PeerHandOver,
  PeerHost,
  PeerInvalidation,
  PeerLookup,
} from "../../peer.ts";
import type { ServedHost } from "../server/served-host.ts";
import type { WorkerPeer } from "./worker-peer.ts";

/** How long a worker may take to apply an invalidation or to take entries, in milliseconds. A stopped one is noticed earlier, by its liveness check. */
const controlTimeoutMs = 5_000;
/** Tickets of hand-overs that are valid at once; the oldest expires first. */
const maxTickets = 256;

/** The other workers as {@link WorkerFront} needs them. */
export interface FrontWorkers {
  readonly joining: Promise<void> | undefined;
  peers(): readonly WorkerPeer[];
  /** The worker that answers for a key, except the one with the id `without`; undefined for this process. */
  pick(key: string, without?: string): WorkerPeer | undefined;
}

/**
 * Answers for the whole node what arrives at any of its workers: passes a lookup on to the worker that answers
 * for its key, and invalidations to all of them. A worker answers what it receives from another worker by
 * itself, so that a request is passed on at most once (invariant I6).
 */
export class WorkerFront implements ServedHost {
  readonly #host: PeerHost;
  readonly #workers: FrontWorkers;
  readonly #clock: Clock;
  /** This process's own tickets by those that all workers know. */
  readonly #tickets: Map<string, number> = new Map();

  constructor(host: PeerHost, workers: FrontWorkers, clock: Clock) {
    this.#host = host;
    this.#workers = workers;
    this.#clock = clock;
  }

  lookup(lookup: PeerLookup, options?: PeerCallOptions): PeerAnswer | Promise<PeerAnswer> {
    const { joining } = this.#workers;
    if (joining !== undefined) return joining.then(() => this.lookup(lookup, options));
    const worker = this.#workers.pick(lookup.key);
    if (worker === undefined) return this.#host.lookup(lookup, options);
    return this.#passOn(worker, lookup, options);
  }

  invalidate(invalidation: PeerInvalidation): void | Promise<void> {
    const { joining } = this.#workers;
    if (joining !== undefined) return joining.then(() => this.invalidate(invalidation));
    const isAlone = this.#workers.peers().length === 0;
    // One process takes over the retries of another node.
    if (isAlone || invalidation.owedTo !== undefined) return this.#host.invalidate(invalidation);
    return this.#invalidateEverywhere(invalidation);
  }

  contact(contact: PeerContact): PeerContactAnswer {
    if (this.#host.contact === undefined) {
      throw new ParsecError("NO_SUCH_GROUP", "this node has no contacts");
    }
    return this.#host.contact(contact);
  }

  takeOver(part: PeerHandOver): number | Promise<number> {
    const { joining } = this.#workers;
    if (joining !== undefined) return joining.then(() => this.takeOver(part));
    if (this.#workers.peers().length === 0) return this.#takeOwn(part);
    return this.#takeEverywhere(part);
  }

  /** Takes this process's share of a part, and a ticket for the next one that is known to all workers as `nextTicket`. */
  takeShare(part: PeerHandOver, nextTicket: number): number {
    const ticket = this.#takeOwn(part);
    if (ticket === 0) return 0;
    this.#tickets.set(`${nextTicket} ${part.group}`, ticket);
    const [oldest] = this.#tickets.keys();
    if (this.#tickets.size > maxTickets) this.#tickets.delete(oldest as string);
    return nextTicket;
  }

  async #passOn(
    worker: WorkerPeer,
    lookup: PeerLookup,
    options: PeerCallOptions | undefined,
  ): Promise<PeerAnswer> {
    const startedAt = this.#clock.now();
    const remaining = (): PeerLookup => {
      const timeoutMs = lookup.timeoutMs - (this.#clock.now() - startedAt);
      return { ...lookup, timeoutMs: Math.max(timeoutMs, 1) };
    };
    try {
      return await worker.lookup(lookup, options);
    } catch (error) {
      if (!isReplaceable(error)) throw error;
    }
    const next = this.#workers.pick(lookup.key, worker.id);
    if (next !== undefined && next !== worker) {
      try {
        return await next.lookup(remaining(), options);
      } catch (error) {
        if (!isReplaceable(error)) throw error;
      }
    }
    return await this.#host.lookup(remaining(), options);
  }

  /** In any order: a worker that has applied the invalidation of a key sends its fence with each lookup. */
  async #invalidateEverywhere(invalidation: PeerInvalidation): Promise<void> {
    const errors: ParsecError[] = [];
    let applied = 0;
    const count = async (apply: () => void | Promise<void>): Promise<void> => {
      try {
        await apply();
        applied++;
      } catch (error) {
        errors.push(asPeerError(error));
      }
    };
    const notified = new Set<WorkerPeer>();
    await count(() => this.#host.invalidate(invalidation));
    for (;;) {
      // Workers may join meanwhile; they must be notified as well.
      const others = this.#workers.peers().filter((worker) => !notified.has(worker));
      if (others.length === 0) break;
      for (const worker of others) notified.add(worker);
      await Promise.all(
        others.map((worker) =>
          count(() => worker.invalidate(invalidation, { timeoutMs: controlTimeoutMs })),
        ),
      );
    }
    // A worker without the group has nothing of it to drop.
    const failure = errors.find(({ code }) => code !== "NO_SUCH_GROUP");
    if (failure !== undefined) throw failure;
    if (applied === 0) throw errors[0] as ParsecError;
  }

  /** Each worker takes the entries of its keys, and issues a ticket at the same time, before the sender reads more entries. */
  async #takeEverywhere(part: PeerHandOver): Promise<number> {
    const { group, ticket } = part;
    const own: PeerEntry[] = [];
    const shares = new Map<WorkerPeer, PeerEntry[]>();
    for (const worker of this.#workers.peers()) shares.set(worker, []);
    for (const entry of part.entries) {
      const worker = this.#workers.pick(entry.key);
      (worker === undefined ? own : shares.get(worker))?.push(entry);
    }
    const nextTicket = randomInt(1, 2 ** 48 - 1);
    const taken = await Promise.allSettled([
      (async () => this.takeShare({ group, ticket, entries: own }, nextTicket) !== 0)(),
      ...[...shares].map(([worker, entries]) =>
        worker.share({ group, ticket, entries }, { nextTicket, timeoutMs: controlTimeoutMs }),
      ),
    ]);
    if (taken.some((one) => one.status === "fulfilled" && one.value)) return nextTicket;
    const [first] = taken;
    if (first?.status === "rejected") throw first.reason;
    return 0;
  }

  #takeOwn(part: PeerHandOver): number {
    const name = `${part.ticket} ${part.group}`;
    const ticket = this.#tickets.get(name) ?? part.ticket;
    this.#tickets.delete(name);
    return this.#host.takeOver?.({ ...part, ticket }) ?? 0;
  }
}

/** Whether another worker may answer instead: the process is gone or unresponsive, or has not registered the group yet. */
function isReplaceable(error: unknown): boolean {
  return (
    isParsecError(error) && (error.code === "PEER_UNREACHABLE" || error.code === "NO_SUCH_GROUP")
  );
}

function asPeerError(error: unknown): ParsecError {
  return isParsecError(error)
    ? error
    : new ParsecError("PEER_UNREACHABLE", "a worker did not apply the invalidation", {
        cause: error,
      });
}
