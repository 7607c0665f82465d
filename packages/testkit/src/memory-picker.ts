import {
  keyToBytes,
  ParsecError,
  type Peer,
  type PeerAnswer,
  type PeerPicker,
  type Placement,
} from "@parsec/core";
import { callNode } from "./memory-call.ts";
import type { MemoryNode, MemoryWire } from "./memory-wire.ts";

function copyAnswer(answer: PeerAnswer, maxValueBytes: number): PeerAnswer {
  const { value, ttlMs, fence, ratePerMinute } = answer;
  if (value !== undefined && value.byteLength > maxValueBytes) {
    throw new ParsecError(
      "VALUE_TOO_LARGE",
      `a value of ${value.byteLength} bytes exceeds the transport's maxValueBytes of ${maxValueBytes}`,
    );
  }
  return { value: value && new Uint8Array(value), ttlMs, fence, ratePerMinute };
}

function createMemoryPeer(wire: MemoryWire, from: MemoryNode, id: string): Peer {
  return {
    id,
    async lookup(lookup, options) {
      const { group, key, fence, timeoutMs } = lookup;
      const keyBytes = keyToBytes(key).byteLength;
      if (keyBytes > wire.maxKeyBytes) {
        throw new ParsecError(
          "KEY_TOO_LARGE",
          `a key of ${keyBytes} bytes exceeds the transport's maxKeyBytes of ${wire.maxKeyBytes}`,
        );
      }
      // Not `slice`: that of a Buffer shares its memory.
      const input = lookup.input && new Uint8Array(lookup.input);
      return callNode<PeerAnswer>(
        wire,
        { from, to: id },
        {
          kind: "lookup",
          group,
          timeoutMs,
          signal: options?.signal,
          serve: (host, signal) => host.lookup({ group, key, input, fence, timeoutMs }, { signal }),
          copy: (answer) => copyAnswer(answer, wire.maxValueBytes),
        },
      );
    },
    invalidate(invalidation, options) {
      const { group, fence, target } = invalidation;
      const copied =
        target.kind === "keys" ? { kind: target.kind, keys: [...target.keys] } : target;
      return callNode<void>(
        wire,
        { from, to: id },
        {
          kind: "invalidate",
          group,
          timeoutMs: options.timeoutMs,
          signal: options.signal,
          serve: (host) => host.invalidate({ group, fence, target: copied }),
          copy: () => undefined,
        },
      );
    },
  };
}

function memberList(selfId: string, ids: readonly string[]): readonly string[] {
  const members = [...new Set(ids)];
  if (!members.includes(selfId)) {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `ids must list this node too: ${JSON.stringify(selfId)} is not among ${JSON.stringify(ids)}`,
    );
  }
  return members;
}

/** The picker of one node: its view of the membership, and a peer for every other member. */
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
    pick: (key) => peers.get(placement.ownerOf(key)),
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
