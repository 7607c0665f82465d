import { randomUUID } from "node:crypto";
import { ParsecError } from "@parsec/core";
import type { Link, LinkHandler } from "../link/link.ts";
import { createMemoryLink } from "../link/memory-link.ts";
import type { Coordinator, CoordinatorEntry, CoordinatorListener } from "./coordinator.ts";
import { WriteConflict } from "./coordinator.ts";

/** One node's access to a {@link MemoryHub}: pass it to `createRing`. */
export interface MemorySeat {
  readonly coordinator: Coordinator;
  readonly link: Link;
  /** Cuts the node off from the store and from the other nodes, as a network failure does. */
  cut(): void;
  heal(): void;
}

/** Connects ring nodes within one process: for tests, and for development without a server. */
export interface MemoryHub {
  seat(): MemorySeat;
  /** Deletes the store with all its entries, as an operator could. */
  wipe(): void;
}

interface Watcher {
  readonly listener: CoordinatorListener;
  isCut(): boolean;
  behind: boolean;
}

/** Creates a hub. `mayForget` makes it behave as a server whose storage can be lost; see {@link Coordinator}. */
export function createMemoryHub(options: { readonly mayForget?: boolean } = {}): MemoryHub {
  const { mayForget = false } = options;
  const handlers = new Map<string, LinkHandler>();
  const watchers = new Set<Watcher>();
  let store = randomUUID();
  let revision = 0;
  let entries = new Map<string, CoordinatorEntry>();

  const tell = (watcher: Watcher): void => {
    const all = [...entries.values()].sort((left, right) => left.revision - right.revision);
    watcher.behind = false;
    watcher.listener.snapshot(all, store);
  };

  const seat = (): MemorySeat => {
    let cut = false;
    let closed = false;
    let watcher: Watcher | undefined;

    const put = async (
      key: string,
      value: Uint8Array | undefined,
      expected: number,
    ): Promise<number> => {
      // As over a network, nothing happens in the caller's own turn of the event loop.
      await Promise.resolve();
      if (closed) throw new ParsecError("CLOSED", "the coordinator was closed");
      if (cut) throw new ParsecError("PEER_UNREACHABLE", "the store is unreachable");
      if ((entries.get(key)?.revision ?? 0) !== expected) throw new WriteConflict(key);
      const entry = { key, value: value?.slice(), revision: ++revision };
      entries.set(key, entry);
      for (const each of watchers) {
        if (each.isCut()) each.behind = true;
        else queueMicrotask(() => void (each.isCut() || each.listener.changed(entry)));
      }
      return entry.revision;
    };

    const resync = (): void => {
      const own = watcher;
      if (own !== undefined && !cut) queueMicrotask(() => void (closed || cut || tell(own)));
    };

    return {
      coordinator: {
        mayForget,
        start(listener) {
          watcher = { listener, isCut: () => cut || closed, behind: false };
          watchers.add(watcher);
          resync();
        },
        write: (key, value, options) => put(key, value, options.revision),
        remove: (key, options) => put(key, undefined, options.revision),
        resync,
        close() {
          closed = true;
          if (watcher !== undefined) watchers.delete(watcher);
          return Promise.resolve();
        },
      },
      link: createMemoryLink({ address: randomUUID(), handlers, isCut: () => cut }),
      cut() {
        cut = true;
      },
      heal() {
        cut = false;
        if (watcher?.behind) resync();
      },
    };
  };

  return {
    seat,
    wipe() {
      store = randomUUID();
      revision = 0;
      entries = new Map();
      for (const watcher of watchers) {
        if (watcher.isCut()) watcher.behind = true;
        else tell(watcher);
      }
    },
  };
}
