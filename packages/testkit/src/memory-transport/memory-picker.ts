import {
  ParsecError,
  type Peer,
  type PeerAnswer,
  type PeerContactAnswer,
  type PeerEntry,
  type PeerPicker,
  type PeerTrace,
} from "@parsec/core";
import { keyToBytes, type Placement, readPeerTrace } from "@parsec/core/transport";
import { callNode } from "./memory-call.ts";
import type { MemoryNode, MemoryWire } from "./memory-wire.ts";

function copyAnswer(answer: PeerAnswer, maxValueBytes: number): PeerAnswer {
  const { value, ttlMs, fence, ratePerMinute, missing = false } = answer;
  if (value !== undefined && value.byteLength > maxValueBytes) {
    throw new ParsecError(
      "VALUE_TOO_LARGE",
      `value must have at most maxValueBytes (${maxValueBytes}) bytes, got ${value.byteLength}`,
    );
  }
  return { value: value && new Uint8Array(value), ttlMs, fence, ratePerMinute, missing };
}

function createMemoryPeer(wire: MemoryWire, from: MemoryNode, id: string): Peer {
  return {
    id,
    async lookup(lookup, options) {
      const { group, key, fence, timeoutMs, memoryOnly = false } = lookup;
      const keyBytes = keyToBytes(key).byteLength;
      if (keyBytes > wire.maxKeyBytes) {
        throw new ParsecError(
          "KEY_TOO_LARGE",
          `key must have at most maxKeyBytes (${wire.maxKeyBytes}) bytes, got ${keyBytes}`,
        );
      }
      // `slice` of a Buffer would share its memory.
      const input = lookup.input && new Uint8Array(lookup.input);
      const copied = { group, key, input, fence, timeoutMs, memoryOnly, ...copyTrace(lookup) };
      return callNode<PeerAnswer>(
        wire,
        { from, to: id },
        {
          kind: "lookup",
          group,
          timeoutMs,
          signal: options?.signal,
          serve: (host, signal) => host.lookup(copied, { signal }),
          copy: (answer) => copyAnswer(answer, wire.maxValueBytes),
        },
      );
    },
    invalidate(invalidation, options) {
      const { trace: _, ...untraced } = invalidation;
      const { group, target } = untraced;
      const copied = {
        ...untraced,
        ...copyTrace(invalidation),
        target: target.kind === "keys" ? { kind: target.kind, keys: [...target.keys] } : target,
      };
      return callNode<void>(
        wire,
        { from, to: id },
        {
          kind: "invalidate",
          group,
          timeoutMs: options.timeoutMs,
          signal: options.signal,
          serve: (host) => host.invalidate(copied),
          copy: () => undefined,
        },
      );
    },
    contact(contact, options) {
      return callNode<PeerContactAnswer | undefined>(
        wire,
        { from, to: id },
        {
          kind: "contact",
          group: "",
          timeoutMs: options.timeoutMs,
          signal: options.signal,
          serve: (host) => host.contact?.({ ...contact }),
          copy: (answer) => answer && { ...answer },
        },
      );
    },
    handOver(part, options) {
      const { group } = part;
      const fits = (entry: PeerEntry): boolean => isWithin(entry, wire);
      const copied = { ...part, entries: part.entries.filter(fits).map(copyEntry) };
      return callNode<number>(
        wire,
        { from, to: id },
        {
          kind: "handOver",
          group,
          timeoutMs: options.timeoutMs,
          signal: options.signal,
          serve: (host) => host.takeOver?.(copied) ?? 0,
          copy: (ticket) => ticket,
        },
      );
    },
  };
}

/** Drops an invalid trace context, as transports with a wire format do. */
function copyTrace({ trace }: { readonly trace?: PeerTrace | undefined }): {
  readonly trace?: PeerTrace;
} {
  const copied = trace && readPeerTrace(trace);
  return copied === undefined ? {} : { trace: copied };
}

function isWithin({ key, value }: PeerEntry, limits: MemoryWire): boolean {
  const isSmall = value === undefined || value.byteLength <= limits.maxValueBytes;
  return isSmall && keyToBytes(key).byteLength <= limits.maxKeyBytes;
}

function copyEntry(entry: PeerEntry): PeerEntry {
  const { value, tags } = entry;
  return { ...entry, value: value && new Uint8Array(value), tags: [...tags] };
}

function memberList(selfId: string, ids: readonly string[]): readonly string[] {
  const members = [...new Set(ids)];
  if (!members.includes(selfId)) {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `ids must contain selfId ${JSON.stringify(selfId)}, got ${JSON.stringify(ids)}`,
    );
  }
  return members;
}

/** Creates the picker of one node, with a peer for every other member. */
export function createMemoryPicker(
  wire: MemoryWire,
  node: MemoryNode,
  ids: readonly string[],
): PeerPicker {
  let peers = new Map<string, Peer>();
  let placement: Placement;

  const updatePeers = (memberIds: readonly string[]): void => {
    const members = memberList(node.id, memberIds);
    const next = new Map<string, Peer>();
    for (const id of members) {
      if (id !== node.id) next.set(id, peers.get(id) ?? createMemoryPeer(wire, node, id));
    }
    placement = wire.place(members);
    peers = next;
  };
  updatePeers(ids);

  return {
    selfId: node.id,
    peers: () => [...peers.values()],
    pick: (key, without) => peers.get(placement.ownerOf(key, without)),
    updatePeers,
    attach(host) {
      node.host = host;
    },
    async close() {
      node.up = false;
      for (const end of [...node.calling]) end(true);
      for (const breakOff of [...node.serving]) breakOff();
    },
  };
}
