import type { Clock } from "../clock.ts";
import { isParsecError } from "../errors.ts";
import type { Peer, PeerEntry, PeerPicker } from "../peer.ts";
import { telemetryChannel } from "../telemetry.ts";

const channel = telemetryChannel("parsec:hand-over");

/** Approximate size of a part, so that no part blocks the receiver's event loop. */
const partBytes = 256 * 1024;
const partEntries = 500;

/** A group of the leaving node. */
export interface LeavingGroup {
  readonly name: string;
  /** The keys that this node owns, most recently used first. */
  ownedKeys(): readonly string[];
  /** The fresh entry of a key, for a receiver whose ticket arrived at `ticketAt`; undefined when there is none. */
  entry(key: string, ticketAt: number): PeerEntry | undefined;
}

/** The keys of one group for one successor. */
interface Share {
  readonly group: LeavingGroup;
  readonly keys: string[];
  sentKeys: number;
  ticket: number;
  ticketAt: number;
}

/** A peer that will own keys of this node. */
interface Successor {
  readonly peer: Peer;
  readonly shares: Share[];
}

/**
 * Hands the entries that this node owns to their successors, so that leaving costs the origin nothing
 * (ADR 0007). Successors are served concurrently; the groups of one successor alternate. After `timeoutMs`,
 * or when a peer fails, the remaining entries are dropped and fetched again on demand.
 */
export async function handOver(
  groups: Iterable<LeavingGroup>,
  on: { readonly picker: PeerPicker; readonly clock: Clock; readonly timeoutMs: number },
): Promise<void> {
  const { picker, clock } = on;
  const startedAt = clock.now();
  const until = { clock, endsAt: startedAt + on.timeoutMs };
  const successors = successorsOf(groups, picker);
  const about = channel.hasSubscribers ? summaryOf(successors, picker.selfId) : undefined;
  if (about !== undefined) channel.publish({ ...about, phase: "start" });
  const counts = await Promise.all(successors.map((successor) => sendShares(successor, until)));
  if (about === undefined) return;
  const handedOver = counts.reduce((sum, count) => sum + count, 0);
  const durationMs = clock.now() - startedAt;
  channel.publish({ ...about, phase: "end", handedOver, durationMs });
}

function summaryOf(
  successors: readonly Successor[],
  nodeId: string,
): { readonly nodeId: string; readonly successors: number; readonly keys: number } {
  const shares = successors.flatMap((successor) => successor.shares);
  const keys = shares.reduce((sum, share) => sum + share.keys.length, 0);
  return { nodeId, successors: successors.length, keys };
}

function successorsOf(groups: Iterable<LeavingGroup>, picker: PeerPicker): Successor[] {
  const successors = new Map<string, Successor>();
  for (const group of groups) {
    const shares = new Map<string, Share>();
    for (const key of group.ownedKeys()) {
      const peer = picker.pick(key, picker.selfId);
      if (peer?.handOver === undefined) continue;
      let share = shares.get(peer.id);
      if (share === undefined) {
        share = { group, keys: [], sentKeys: 0, ticket: 0, ticketAt: 0 };
        shares.set(peer.id, share);
        const successor = successors.get(peer.id);
        if (successor === undefined) successors.set(peer.id, { peer, shares: [share] });
        else successor.shares.push(share);
      }
      share.keys.push(key);
    }
  }
  return [...successors.values()];
}

/** Returns how many entries the peer has acknowledged. */
async function sendShares(
  { peer, shares }: Successor,
  until: { readonly clock: Clock; readonly endsAt: number },
): Promise<number> {
  const { clock, endsAt } = until;
  let handedOver = 0;
  let remaining = shares;
  while (remaining.length > 0) {
    const unfinished: Share[] = [];
    for (const share of remaining) {
      const timeoutMs = endsAt - clock.now();
      if (timeoutMs <= 0) return handedOver;
      const entries = share.ticket === 0 ? [] : nextPart(share);
      const part = { group: share.group.name, ticket: share.ticket, entries };
      try {
        share.ticket = (await peer.handOver?.(part, { timeoutMs })) ?? 0;
      } catch (error) {
        if (isParsecError(error) && error.code === "NO_SUCH_GROUP") continue;
        // The peer is leaving as well, or unreachable.
        return handedOver;
      }
      handedOver += entries.length;
      share.ticketAt = clock.now();
      if (share.ticket !== 0 && share.sentKeys < share.keys.length) unfinished.push(share);
    }
    remaining = unfinished;
  }
  return handedOver;
}

function nextPart(share: Share): PeerEntry[] {
  const { group, keys, ticketAt } = share;
  const entries: PeerEntry[] = [];
  let bytes = 0;
  for (; share.sentKeys < keys.length && entries.length < partEntries; share.sentKeys++) {
    const entry = group.entry(keys[share.sentKeys] as string, ticketAt);
    if (entry === undefined) continue;
    bytes += entry.key.length + (entry.value?.length ?? 0);
    // An entry larger than a part is sent alone.
    if (bytes > partBytes && entries.length > 0) break;
    entries.push(entry);
  }
  return entries;
}
