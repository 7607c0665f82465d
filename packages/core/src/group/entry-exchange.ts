import { isParsecError } from "../errors.ts";
import { newFence } from "../invalidation/fences.ts";
import type { PeerEntry, PeerHandOver } from "../peer.ts";
import type { GroupContext } from "./group-context.ts";

/** Leaving peers, and parts of theirs under way, that are told apart at once. */
const keptTickets = 64;

/**
 * What one group gives away when its node leaves, and takes from nodes that leave (ADR 0007). Whoever
 * leaves has a ticket before it reads what it gives: so the receiver knows a time at which each entry
 * was still there, however long the message was under way, and counts its time to live from then.
 */
export class EntryExchange<Input, T> {
  readonly #group: GroupContext<Input, T>;
  /** When each ticket was given. It is good for one part. */
  readonly #tickets: Map<number, number> = new Map();

  constructor(group: GroupContext<Input, T>) {
    this.#group = group;
  }

  /** What is fresh under a key, to be given to a node whose ticket came at `ticketAt`. */
  entry(key: string, ticketAt: number): PeerEntry | undefined {
    const { memory } = this.#group;
    const copy = memory.copyToGive(key);
    if (copy === undefined) return undefined;
    const { value, freshUntil, tags } = copy;
    return { key, value, ttlMs: freshUntil - ticketAt, tags, fence: memory.fences.get(key) };
  }

  /** Keeps what may be kept, and returns the ticket for the next part. */
  take({ ticket, entries }: PeerHandOver): number {
    const ticketAt = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    // A part that comes twice, or whose ticket is from before a restart or a cut, is not to be trusted.
    if (ticketAt !== undefined) for (const entry of entries) this.#takeOne(entry, ticketAt);
    return this.#newTicket();
  }

  /** Makes all tickets worthless, because what is known here is no measure any more. */
  forget(): void {
    this.#tickets.clear();
  }

  #newTicket(): number {
    const { clock, random } = this.#group.node;
    const ticket = newFence(random);
    this.#tickets.set(ticket, clock.now());
    const [oldest] = this.#tickets.keys();
    if (this.#tickets.size > keptTickets) this.#tickets.delete(oldest as number);
    return ticket;
  }

  #takeOne(entry: PeerEntry, ticketAt: number): void {
    const { counters, memory, node, sweeps } = this.#group;
    const { key, value, tags, fence } = entry;
    const freshUntil = ticketAt + entry.ttlMs;
    const isFresh = freshUntil > node.clock.now();
    if (!isFresh || memory.has(key) || !this.#fits(entry)) return;
    // With any other history than ours it may be older than an invalidation that was applied here.
    const standing = memory.fences.get(key);
    if (standing !== 0 && standing !== fence) return;
    if (sweeps.mayConcern(tags, ticketAt)) return;
    memory.fences.adopt(key, fence);
    memory.store(key, { value, freshUntil, hot: false, tags });
    counters.takenOver++;
  }

  #fits({ key, value }: PeerEntry): boolean {
    const { limits } = this.#group;
    try {
      limits.checkKey(key);
      limits.checkValue(value);
      return key !== "";
    } catch (error) {
      if (isParsecError(error)) return false;
      throw error;
    }
  }
}
