import { type Clock, ParsecError, type PeerPicker } from "@parsec/core";
import { knownOptions } from "@parsec/core/authoring";
import { createSystemClock, type Placement } from "@parsec/core/transport";
import { createMemoryPicker } from "./memory-picker.ts";
import type { MemoryMessage, MemoryNode, MemoryWire, MessageFate } from "./memory-wire.ts";
import { createPlacementMemory } from "./placement-memory.ts";

/** Options of {@link createMemoryNetwork}. */
export interface MemoryNetworkOptions {
  /** Clock of delays and timeouts. Defaults to the system's clock. */
  readonly clock?: Clock;
  /** Decides the delivery of each message. By default all arrive at once. */
  readonly fate?: (message: MemoryMessage) => MessageFate;
  /** Maximum key length of a lookup in bytes. Defaults to 65,536. */
  readonly maxKeyBytes?: number;
  /** Maximum value length of an answer in bytes. Defaults to 16 MiB. */
  readonly maxValueBytes?: number;
  /** Creates the placement of keys on these members. Defaults to core's `"slots"`. */
  readonly place?: (ids: readonly string[]) => Placement;
}

/** How other nodes of a memory network see a failure: at once (`"refuse"`), or by their own timeouts (`"silent"`). */
export type FailureMode = "refuse" | "silent";

/** Options of {@link MemoryNetwork.createPeers}: one node of the network. */
export interface MemoryPeersOptions {
  readonly selfId: string;
  /** All members, including this node. */
  readonly ids: readonly string[];
}

/** A network of nodes in one process, with faults that a test controls. */
export interface MemoryNetwork {
  /** Adds the node `selfId`. Throws `INVALID_ARGUMENT` when it is already up or missing in `ids`. */
  createPeers(options: MemoryPeersOptions): PeerPicker;
  /** Ends a node as SIGKILL does: it answers no more calls. `createPeers` with the same id restarts it. */
  crash(id: string, mode?: FailureMode): void;
  /** Cuts the link between two nodes in both directions. Messages in flight still arrive. */
  cut(a: string, b: string, mode?: FailureMode): void;
  /** Repairs all links. */
  heal(): void;
  /** Number of calls in flight. */
  readonly pendingCount: number;
}

/**
 * Creates a transport for tests: a cluster in one process, without sockets and threads. Use `fate`,
 * `cut` and `crash` for faults of the network and of nodes, and a manual clock to control time.
 */
export function createMemoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  knownOptions("createMemoryNetwork", options, {
    clock: 1,
    fate: 1,
    maxKeyBytes: 1,
    maxValueBytes: 1,
    place: 1,
  });
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
    place: options.place ?? createPlacementMemory(),
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
        throw new ParsecError(
          "INVALID_ARGUMENT",
          `selfId must name a node that is not up, got ${JSON.stringify(selfId)}`,
        );
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
