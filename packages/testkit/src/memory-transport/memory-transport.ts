import { type Clock, ParsecError, type PeerPicker } from "@parsec/core";
import { createPlacement, createSystemClock, type Placement } from "@parsec/core/transport";
import { createMemoryPicker } from "./memory-picker.ts";
import type { MemoryMessage, MemoryNode, MemoryWire, MessageFate } from "./memory-wire.ts";

/** What a memory network is made of. */
export interface MemoryNetworkOptions {
  /** Measures delays and deadlines. Defaults to the process's own clock. */
  readonly clock?: Clock;
  /** Decides what becomes of each message. Defaults to: all arrive at once. */
  readonly fate?: (message: MemoryMessage) => MessageFate;
  /** The longest key a lookup may carry. Defaults to 65,536. */
  readonly maxKeyBytes?: number;
  /** The longest value an answer may carry. Defaults to 16 MiB. */
  readonly maxValueBytes?: number;
  /** Spreads keys over the members, the same way on every node. Defaults to core's `"slots"`. */
  readonly place?: (ids: readonly string[]) => Placement;
}

/** How a failure looks to the others: they notice at once (`"refuse"`), or wait until their deadline (`"silent"`). */
export type FailureMode = "refuse" | "silent";

/** One node's part of the network. */
export interface MemoryPeersOptions {
  readonly selfId: string;
  /** Every member, this node included. */
  readonly ids: readonly string[];
}

/** Nodes of one process that reach each other as if over a network, and the faults of that network. */
export interface MemoryNetwork {
  /** Joins as `selfId`. Throws `INVALID_ARGUMENT` when that node is up already or missing in `ids`. */
  createPeers(options: MemoryPeersOptions): PeerPicker;
  /** Kills a node as SIGKILL would: it answers nobody any more. `createPeers` with the same id restarts it. */
  crash(id: string, mode?: FailureMode): void;
  /** Cuts the link between two nodes, both ways. Messages under way still arrive. */
  cut(a: string, b: string, mode?: FailureMode): void;
  /** Repairs every cut. */
  heal(): void;
  /** Calls of live nodes that have not settled. */
  readonly pendingCount: number;
}

/**
 * The reference transport: no sockets, no threads, copies instead of frames. Use it to run a
 * cluster inside one test, and `fate`, `cut` and `crash` to make its network misbehave.
 */
export function createMemoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  const clock = options.clock ?? createSystemClock();
  const fate = options.fate ?? ((): MessageFate => ({}));
  const nodes = new Map<string, MemoryNode>();
  const cuts = new Map<string, FailureMode>();
  const linkName = (a: string, b: string): string => JSON.stringify([a, b].sort());

  const deliverAfter = (delayMs: number, deliver: () => void): void => {
    if (delayMs > 0) clock.schedule(delayMs, deliver);
    else queueMicrotask(deliver);
  };

  const wire: MemoryWire = {
    clock,
    maxKeyBytes: options.maxKeyBytes ?? 65_536,
    maxValueBytes: options.maxValueBytes ?? 16 * 2 ** 20,
    place: options.place ?? ((ids) => createPlacement("slots", ids)),
    node: (id) => nodes.get(id),
    send(message, arrive) {
      const cut = cuts.get(linkName(message.from, message.to));
      if (cut !== undefined) return cut === "silent";
      const { delayMs = 0, lost = false, garbled = false, againAfterMs = [] } = fate(message);
      if (!lost) deliverAfter(delayMs, () => arrive(garbled));
      for (const laterMs of againAfterMs) deliverAfter(laterMs, () => arrive(false));
      return true;
    },
  };

  return {
    createPeers({ selfId, ids }) {
      if (nodes.get(selfId)?.up) {
        throw new ParsecError("INVALID_ARGUMENT", `selfId ${JSON.stringify(selfId)} is up already`);
      }
      const node: MemoryNode = {
        id: selfId,
        host: undefined,
        up: true,
        calling: new Set(),
        serving: new Set(),
      };
      const picker = createMemoryPicker(wire, node, ids);
      nodes.set(selfId, node);
      return picker;
    },
    crash(id, mode = "refuse") {
      const node = nodes.get(id);
      if (node === undefined) return;
      node.up = false;
      node.host = undefined;
      for (const end of [...node.calling]) end(mode === "refuse");
      if (mode === "silent") return;
      for (const breakOff of [...node.serving]) breakOff();
    },
    cut(a, b, mode = "refuse") {
      cuts.set(linkName(a, b), mode);
    },
    heal() {
      cuts.clear();
    },
    get pendingCount() {
      let count = 0;
      for (const node of nodes.values()) count += node.calling.size;
      return count;
    },
  };
}
