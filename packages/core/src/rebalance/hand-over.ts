import type { Clock } from "../clock.ts";
import { isParsecError } from "../errors.ts";
import type { Peer, PeerEntry, PeerPicker } from "../peer.ts";

/** Entries go in parts of about this size, so that a peer's event loop is never held up by one. */
const partBytes = 256 * 1024;
const partEntries = 500;

/** A group whose node leaves. */
export interface LeavingGroup {
  readonly name: string;
  /** The keys it owns, the most recently used first. */
  ownedKeys(): readonly string[];
  /** What is there under a key, for a peer whose ticket came at `ticketAt`. */
  entry(key: string, ticketAt: number): PeerEntry | undefined;
}

/** What one peer is to get of one group. */
interface Share {
  readonly group: LeavingGroup;
  readonly keys: string[];
  given: number;
  ticket: number;
  ticketAt: number;
}

interface Heir {
  readonly peer: Peer;
  readonly shares: Share[];
}

/**
 * Gives what this node owns to those who will own it when it has left, so that its leaving costs the
 * origin nothing (ADR 0007). Peers are served side by side, the groups of one in turn. When the time
 * is over, or a peer takes no part, the rest stays behind and is fetched again when asked for.
 */
export async function handOver(
  groups: Iterable<LeavingGroup>,
  on: { readonly picker: PeerPicker; readonly clock: Clock; readonly timeoutMs: number },
): Promise<void> {
  const endsAt = on.clock.now() + on.timeoutMs;
  const heirs = heirsOf(groups, on.picker);
  await Promise.all(heirs.map((heir) => give(heir, { clock: on.clock, endsAt })));
}

function heirsOf(groups: Iterable<LeavingGroup>, picker: PeerPicker): Heir[] {
  const heirs = new Map<string, Heir>();
  for (const group of groups) {
    const shares = new Map<string, Share>();
    for (const key of group.ownedKeys()) {
      const peer = picker.pick(key, picker.selfId);
      if (peer?.handOver === undefined) continue;
      let share = shares.get(peer.id);
      if (share === undefined) {
        share = { group, keys: [], given: 0, ticket: 0, ticketAt: 0 };
        shares.set(peer.id, share);
        const heir = heirs.get(peer.id);
        if (heir === undefined) heirs.set(peer.id, { peer, shares: [share] });
        else heir.shares.push(share);
      }
      share.keys.push(key);
    }
  }
  return [...heirs.values()];
}

async function give(
  { peer, shares }: Heir,
  until: { readonly clock: Clock; readonly endsAt: number },
): Promise<void> {
  const { clock, endsAt } = until;
  let waiting = shares;
  while (waiting.length > 0) {
    const again: Share[] = [];
    for (const share of waiting) {
      const timeoutMs = endsAt - clock.now();
      if (timeoutMs <= 0) return;
      const entries = share.ticket === 0 ? [] : nextPart(share);
      const part = { group: share.group.name, ticket: share.ticket, entries };
      try {
        share.ticket = (await peer.handOver?.(part, { timeoutMs })) ?? 0;
      } catch (error) {
        if (isParsecError(error) && error.code === "NO_SUCH_GROUP") continue;
        // It leaves as well, or is out of reach.
        return;
      }
      share.ticketAt = clock.now();
      if (share.ticket !== 0 && share.given < share.keys.length) again.push(share);
    }
    waiting = again;
  }
}

function nextPart(share: Share): PeerEntry[] {
  const { group, keys, ticketAt } = share;
  const entries: PeerEntry[] = [];
  let bytes = 0;
  for (; share.given < keys.length && entries.length < partEntries; share.given++) {
    const entry = group.entry(keys[share.given] as string, ticketAt);
    if (entry === undefined) continue;
    bytes += entry.key.length + (entry.value?.length ?? 0);
    // One that is larger than a part goes alone.
    if (bytes > partBytes && entries.length > 0) break;
    entries.push(entry);
  }
  return entries;
}
