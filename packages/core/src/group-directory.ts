import { type Clock, createSystemClock } from "./clock.ts";
import { ParsecError } from "./errors.ts";
import type { GroupEngine, NodeContext, Origin } from "./group-engine.ts";
import { GroupEngine as Engine } from "./group-engine.ts";
import type { ResolvedPolicy } from "./group-options.ts";
import type { GroupStats } from "./group-stats.ts";
import { createLocalPicker } from "./local-picker.ts";
import { describe } from "./option-checks.ts";
import type {
  PeerAnswer,
  PeerCallOptions,
  PeerHost,
  PeerInvalidation,
  PeerLookup,
  PeerPicker,
} from "./peer.ts";

/** What a cache or registry stands on. */
export interface NodeOptions {
  /** Reaches the other nodes, such as `createHttpPeers({ … })`. Without it this node owns every key. */
  readonly peers?: PeerPicker;
  /** For tests; defaults to the process's monotonic clock. */
  readonly clock?: Clock;
  /** Numbers from 0 up to 1, for jitter and fences. For tests; defaults to `Math.random`. */
  readonly random?: () => number;
}

/** The groups of one node by name, and what its peers may ask of them. */
export class GroupDirectory implements PeerHost {
  readonly node: NodeContext;
  readonly #groups: Map<string, GroupEngine<never, unknown>> = new Map();
  #closing: Promise<void> | undefined;

  constructor(options: NodeOptions = {}) {
    this.node = {
      picker: options.peers ?? createLocalPicker(),
      clock: options.clock ?? createSystemClock(),
      random: options.random ?? Math.random,
    };
    this.node.picker.attach(this);
  }

  add<Input, T>(
    name: string,
    parts: { readonly policy: ResolvedPolicy; readonly origin: Origin<Input, T> },
  ): GroupEngine<Input, T> {
    if (typeof name !== "string" || name === "" || Buffer.byteLength(name) > 255) {
      throw new ParsecError(
        "INVALID_ARGUMENT",
        `a name must be text of 1 to 255 bytes, not ${describe(name)}`,
      );
    }
    if (this.#closing !== undefined) throw new ParsecError("CLOSED", "the cache was closed");
    if (this.#groups.has(name)) {
      throw new ParsecError("DUPLICATE_NAME", `a group named ${describe(name)} exists already`);
    }
    const engine = new Engine<Input, T>(name, { ...parts, node: this.node });
    this.#groups.set(name, engine as unknown as GroupEngine<never, unknown>);
    return engine;
  }

  names(): string[] {
    return [...this.#groups.keys()];
  }

  stats(): Record<string, GroupStats> {
    return Object.fromEntries([...this.#groups].map(([name, group]) => [name, group.stats()]));
  }

  lookup(lookup: PeerLookup, options?: PeerCallOptions): PeerAnswer | Promise<PeerAnswer> {
    return this.#group(lookup.group).answer(lookup, options);
  }

  invalidate(invalidation: PeerInvalidation): void {
    this.#group(invalidation.group).apply(invalidation);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Peers first: what they still wait for may finish, and nobody new comes in.
    try {
      await this.node.picker.close();
    } finally {
      for (const group of this.#groups.values()) group.close();
    }
  }

  #group(name: string): GroupEngine<never, unknown> {
    const group = this.#groups.get(name);
    if (group === undefined) {
      throw new ParsecError("NO_SUCH_GROUP", `no such group: ${describe(name)}`);
    }
    return group;
  }
}
