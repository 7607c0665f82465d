import type { ResolvedPolicy } from "../cache-policy.ts";
import { type Clock, createNodeClock } from "../clock.ts";
import { ParsecError } from "../errors.ts";
import type { NodeContext } from "../group/group-context.ts";
import { GroupEngine, nameOnWire } from "../group/group-engine.ts";
import type { Origin } from "../group/origin.ts";
import type { GroupStats } from "../group-stats.ts";
import type { CutOffReason } from "../invalidation/contact-log.ts";
import { Contacts } from "../invalidation/contacts.ts";
import {
  MissedInvalidations,
  type UndeliveredInvalidations,
} from "../invalidation/missed-invalidations.ts";
import { SlicedWork } from "../memory/sliced-work.ts";
import {
  describe,
  functionOption,
  invalidArgument,
  numberOption,
  type OptionNames,
} from "../option-checks.ts";
import type {
  PeerAnswer,
  PeerCallOptions,
  PeerContact,
  PeerContactAnswer,
  PeerHandOver,
  PeerHost,
  PeerInvalidation,
  PeerLookup,
  PeerPicker,
} from "../peer.ts";
import { handOver } from "../rebalance/hand-over.ts";
import { WarmUp } from "../rebalance/warm-up.ts";
import { SharedSignals } from "../shared-signals.ts";
import { telemetryChannel } from "../telemetry.ts";
import { createLocalPicker } from "./local-picker.ts";

/** Options of a registry or group cache as a node of a cluster. */
export interface NodeOptions {
  /** The transport to the other nodes, such as `createHttpPeers({ … })`. Without it this node owns every key. */
  readonly peers?: PeerPicker;
  /** Time limit for handing this node's entries over to peers on close, in milliseconds. Defaults to 2,000; 0 turns the hand-over off. */
  readonly handOverMs?: number;
  /** For tests; defaults to the process's monotonic clock. */
  readonly clock?: Clock;
  /** Numbers from 0 up to 1, for jitter and fences. For tests; defaults to `Math.random`. */
  readonly random?: () => number;
}

/** The fields of {@link NodeOptions}, for the check of unknown options. */
export const nodeNames: OptionNames<NodeOptions> = { peers: 1, handOverMs: 1, clock: 1, random: 1 };

const channel = telemetryChannel("parsec:undelivered-invalidations");
const rejoinedChannel = telemetryChannel("parsec:rejoined");

const causes: Readonly<Record<CutOffReason, string>> = {
  restarted: "has restarted since",
  forgot: "has forgotten what it owed",
  removed: "has left since",
};

/** The groups of one node by name, which answer its peers as well. */
export class LocalNode implements PeerHost {
  readonly node: NodeContext;
  /** By the name given to {@link add}. */
  readonly #groups: Map<string, GroupEngine<never, unknown>> = new Map();
  readonly #byWireName: Map<string, GroupEngine<never, unknown>> = new Map();
  readonly #handOverMs: number;
  readonly #contacts: Contacts;
  #closing: Promise<void> | undefined;

  constructor(options: NodeOptions = {}) {
    checkParts(options);
    const picker = options.peers ?? createLocalPicker();
    const clock = createNodeClock(options.clock);
    const random = options.random ?? Math.random;
    this.#contacts = new Contacts({
      picker,
      clock,
      random,
      debtor: {
        promiseTo: (peerId) => this.node.missed.promiseTo(peerId),
        owes: (peerId) => this.node.missed.owes(peerId),
      },
      onCutOff: (peerId, reason) => this.#cutOff(peerId, reason),
      onShared: (peerId) => {
        const message = `${peerId} is shared by processes that do not know each other, such as on machines behind a load balancer, so invalidations do not reach all of them: give each machine an address of its own`;
        picker.warn?.({ kind: "shared-address", peerId, message });
      },
    });
    this.node = {
      picker,
      clock,
      random,
      warmUp: new WarmUp(clock, picker),
      missed: new MissedInvalidations({
        picker,
        clock,
        repeat: (invalidation, options) =>
          found(this.#groups, invalidation.group).spread(invalidation, options),
        onMembers: () => this.#contacts.refresh(),
      }),
      signals: new SharedSignals(),
      slicedWork: new SlicedWork(clock),
    };
    this.#handOverMs = numberOption("handOverMs", {
      given: options.handOverMs,
      fallback: 2_000,
      min: 0,
      max: 600_000,
    });
    picker.attach(this);
  }

  add<Input, T>(
    name: string,
    parts: { readonly policy: ResolvedPolicy; readonly origin: Origin<Input, T> },
  ): GroupEngine<Input, T> {
    if (typeof name !== "string" || name === "" || Buffer.byteLength(name) > 255) {
      throw invalidArgument(`name must be a string of 1 to 255 bytes, got ${describe(name)}`);
    }
    if (this.#closing !== undefined) throw new ParsecError("CLOSED", "the cache was closed");
    const wireName = nameOnWire(name, parts.policy);
    if (this.#groups.has(name) || this.#byWireName.has(wireName)) {
      throw new ParsecError(
        "DUPLICATE_NAME",
        `name must be unique: a group named ${describe(name)} exists already`,
      );
    }
    const engine = new GroupEngine<Input, T>(name, { ...parts, node: this.node });
    this.#groups.set(name, engine as unknown as GroupEngine<never, unknown>);
    this.#byWireName.set(wireName, engine as unknown as GroupEngine<never, unknown>);
    return engine;
  }

  updatePeers(ids: readonly string[]): void {
    const { missed, picker } = this.node;
    missed.recordMembers();
    picker.updatePeers(ids);
    missed.recordMembers();
  }

  names(): string[] {
    return [...this.#groups.keys()];
  }

  stats(): Record<string, GroupStats> {
    return Object.fromEntries([...this.#groups].map(([name, group]) => [name, group.stats()]));
  }

  lookup(lookup: PeerLookup, options?: PeerCallOptions): PeerAnswer | Promise<PeerAnswer> {
    return found(this.#byWireName, lookup.group).answer(lookup, options);
  }

  invalidate(invalidation: PeerInvalidation): void {
    const group = found(this.#groups, invalidation.group);
    if (invalidation.owedTo === undefined) {
      group.apply(invalidation);
      return;
    }
    // A debt accepted now would be lost with this node, or go round in circles among nodes that leave.
    if (this.#closing !== undefined) throw new ParsecError("CLOSED", "the cache was closed");
    this.node.missed.takeOver(invalidation);
  }

  takeOver(part: PeerHandOver): number {
    const group = found(this.#byWireName, part.group);
    // Entries accepted now would be lost with this node: refuse them, so that the sender stops at once.
    if (this.#closing !== undefined) throw new ParsecError("CLOSED", "the cache was closed");
    return group.takeOver(part);
  }

  contact(contact: PeerContact): PeerContactAnswer {
    if (this.#closing !== undefined) throw new ParsecError("CLOSED", "the cache was closed");
    this.node.missed.recordMembers();
    return this.#contacts.answer(contact);
  }

  rejoined(): void {
    for (const group of this.#groups.values()) group.forget();
    this.node.warmUp.restart();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { picker, missed } = this.node;
    // Groups stay open until the picker is closed, so that requests of peers can finish.
    try {
      const [undelivered] = await Promise.all([missed.handOver(), this.#handOverEntries()]);
      await this.#contacts.sayGoodbye();
      this.#contacts.close();
      missed.close();
      this.#reportUndelivered(undelivered);
      await picker.close();
    } finally {
      this.#contacts.close();
      missed.close();
      for (const group of this.#groups.values()) group.close();
    }
  }

  /** This node missed invalidations that no peer will deliver. */
  #cutOff(peerId: string, reason: CutOffReason): void {
    const { picker } = this.node;
    this.rejoined();
    const message = `${picker.selfId} was cut off from ${peerId}, which ${causes[reason]}: it may have missed invalidations, and dropped its caches`;
    picker.warn?.({ kind: "rejoined", peerId, message });
    if (rejoinedChannel.hasSubscribers) {
      rejoinedChannel.publish({ nodeId: picker.selfId, peerId, reason });
    }
  }

  #reportUndelivered(undelivered: readonly UndeliveredInvalidations[]): void {
    const { picker } = this.node;
    for (const { peerId, count } of undelivered) {
      const message = `${peerId} has not applied ${count} invalidations of this node, which leaves, and no other member retries them: ${peerId} may serve old values until they expire`;
      picker.warn?.({ kind: "undelivered", peerId, message });
    }
    if (undelivered.length > 0 && channel.hasSubscribers) {
      channel.publish({ nodeId: picker.selfId, undelivered });
    }
  }

  async #handOverEntries(): Promise<void> {
    const { picker, clock } = this.node;
    if (picker.peers().length === 0 || this.#handOverMs === 0) return;
    await handOver(this.#groups.values(), { picker, clock, timeoutMs: this.#handOverMs });
  }
}

function found(
  groups: ReadonlyMap<string, GroupEngine<never, unknown>>,
  name: string,
): GroupEngine<never, unknown> {
  const group = groups.get(name);
  if (group !== undefined) return group;
  throw new ParsecError("NO_SUCH_GROUP", `no such group: ${describe(name)}`);
}

/** Throws `INVALID_ARGUMENT` for a picker, clock or random source without its methods. */
function checkParts({ peers, clock, random }: NodeOptions): void {
  if (peers !== undefined && typeof peers?.pick !== "function") {
    throw invalidArgument(
      `peers must be a transport, such as createHttpPeers({ … }), got ${describe(peers)}`,
    );
  }
  if (
    clock !== undefined &&
    !(typeof clock?.now === "function" && typeof clock.schedule === "function")
  ) {
    throw invalidArgument(`clock must have the methods now and schedule, got ${describe(clock)}`);
  }
  if (random !== undefined) functionOption("random", random);
}
