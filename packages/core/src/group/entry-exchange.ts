import { isParsecError } from "../errors.ts";
import { newFence } from "../invalidation/fences.ts";
import type { PeerEntry, PeerHandOver } from "../peer.ts";
import type { GroupContext } from "./group-context.ts";

/** Hand-over tickets that are valid at once; the oldest expires first. */
const maxTickets = 64;

/**
 * Hand-over of one group's entries: those given when this node leaves, and those accepted from leaving
 * nodes (ADR 0007). A leaving node gets a ticket before it reads the entries of a part. The receiver knows
 * when it issued the ticket and counts the time to live from there, however long the message travels.
 */
export class EntryExchange<Input, T> {
  readonly #group: GroupContext<Input, T>;
  /** When each ticket was issued. A ticket is valid for one part. */
  readonly #tickets: Map<number, number> = new Map();

  constructor(group: GroupContext<Input, T>) {
    this.#group = group;
  }

  /** The fresh entry of a key, for a receiver whose ticket arrived at `ticketAt`; undefined when there is none. */
  entry(key: string, ticketAt: number): PeerEntry | undefined {
    const { memory } = this.#group;
    const copy = memory.copyForTransfer(key);
    if (copy === undefined) return undefined;
    const { value, freshUntil, tags } = copy;
    return { key, value, ttlMs: freshUntil - ticketAt, tags, fence: memory.fences.get(key) };
  }

  /** Stores the entries of a part as far as that is safe. Returns the ticket for the next part. */
  take({ ticket, entries }: PeerHandOver): number {
    const ticketAt = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    // Without a valid ticket (a repeated part, or one from before a restart or a network partition) the age of the entries is unknown.
    if (ticketAt !== undefined) for (const entry of entries) this.#storeEntry(entry, ticketAt);
    return this.#newTicket();
  }

  /** Invalidates all tickets, because this node may have missed invalidations since it issued them. */
  forget(): void {
    this.#tickets.clear();
  }

  #newTicket(): number {
    const { clock, random } = this.#group.node;
    const ticket = newFence(random);
    this.#tickets.set(ticket, clock.now());
    const [oldest] = this.#tickets.keys();
    if (this.#tickets.size > maxTickets) this.#tickets.delete(oldest as number);
    return ticket;
  }

  #storeEntry(entry: PeerEntry, ticketAt: number): void {
    const { counters, memory, node, sweeps } = this.#group;
    const { key, value, tags, fence } = entry;
    const freshUntil = ticketAt + entry.ttlMs;
    const isFresh = freshUntil > node.clock.now();
    if (!isFresh || memory.has(key) || !this.#fits(entry)) return;
    // With other fences than ours the entry may be older than an invalidation applied here.
    const ownFence = memory.fences.get(key);
    if (ownFence !== 0 && ownFence !== fence) return;
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
