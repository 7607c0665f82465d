import type { Clock } from "../../clock.ts";
import type { PeerHost } from "../../peer.ts";
import type { PeerHealthOptions } from "../health/peer-health.ts";
import { reportHealth } from "../picker/health-report.ts";
import type { PeerLimits, PeerWarning } from "../picker/peer-options.ts";
import { createFrameServer } from "../server/frame-server.ts";
import { createFrameService, type FrameService } from "../server/frame-service.ts";
import type { ServedHost } from "../server/served-host.ts";
import { watchSocketFile } from "./socket-watch.ts";
import { WorkerFront } from "./worker-front.ts";
import { WorkerMember } from "./worker-member.ts";
import type { WorkerPeer } from "./worker-peer.ts";
import { isOneOfSeveral, looksForOthers, programOf } from "./worker-program.ts";
import { WorkerServer } from "./worker-server.ts";
import { WorkerSet } from "./worker-set.ts";
import { openWorkerSockets, processOf, type WorkerSockets } from "./worker-sockets.ts";

/** Options of {@link createWorkers}, from `resolvePeerOptions` and `resolvePeerLimits`. */
export interface WorkersOptions {
  /** Whether this process looks for others behind its address; undefined to decide by how it was started (ADR 0020). */
  readonly workers: boolean | undefined;
  /** The address that the processes share. */
  readonly selfId: string;
  /** Distinguishes nodes of one address, such as the name of the transport and a path. */
  readonly scope: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly sender: number;
  readonly limits: PeerLimits;
  readonly health: PeerHealthOptions;
  readonly closeTimeoutMs: number;
  readonly onWarning: (warning: PeerWarning) => void;
  /** For tests: the folder of the host, and the token that tells processes apart. */
  readonly places?: { readonly folder?: string; readonly token?: string };
}

/**
 * The other processes behind this node's address, such as the workers of `node:cluster` or PM2. They find each
 * other through Unix sockets, divide the keys of the node among themselves, and notify each other of
 * invalidations (ADR 0020).
 */
export interface Workers {
  /** Set while this process gets to know the others. Until it resolves, nothing may be cached or invalidated. */
  readonly joining: Promise<void> | undefined;
  /** Looks for the others, and returns the host that answers requests to the shared address. */
  attach(host: PeerHost): ServedHost;
  /** The other processes. */
  peers(): readonly WorkerPeer[];
  /** The process that answers for a key of this node, except the one with the id `without`, or this one for this node's own id; undefined for this process. */
  pick(key: string, without?: string): WorkerPeer | undefined;
  /** Whether the others own no keys, or there are none. */
  readonly isAlone: boolean;
  /** Takes no more keys. The others still notify this process of invalidations. */
  leave(): void;
  /** Lets open requests finish within `closeTimeoutMs`, and disconnects from the others. */
  close(): Promise<void>;
}

/** Creates the {@link Workers} of a node. Does nothing before `attach`. */
export function createWorkers(options: WorkersOptions): Workers {
  return new WorkerGroup(options);
}

class WorkerGroup implements Workers {
  readonly #options: WorkersOptions;
  readonly #members: Map<string, WorkerMember> = new Map();
  #peers: readonly WorkerPeer[] = [];
  #placed: WorkerSet<WorkerPeer> | undefined = undefined;
  #ownId = "";
  #sockets: WorkerSockets | undefined = undefined;
  #server: WorkerServer | undefined = undefined;
  #service: FrameService | undefined = undefined;
  #host: PeerHost | undefined = undefined;
  #isLeaving = false;
  #closed = false;
  /** Processes that this one does not know yet. */
  #strangers = 0;
  #stopWatching: () => void = () => {};
  #isWarned = false;
  #endJoining: () => void = () => {};
  joining: Promise<void> | undefined = undefined;

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  attach(host: PeerHost): ServedHost {
    this.#host = host;
    const { workers, selfId } = this.#options;
    if (!(workers ?? looksForOthers(selfId)) || this.#closed) return host;
    try {
      return this.#open(host);
    } catch (error) {
      if (isOneOfSeveral()) this.#warnAboutOthers(error);
      return host;
    }
  }

  peers(): readonly WorkerPeer[] {
    return this.#peers;
  }

  pick(key: string, without?: string): WorkerPeer | undefined {
    if (this.#placed === undefined || this.#placed.isEmpty) return undefined;
    return this.#placed.ownerOf(key, without === this.#options.selfId ? this.#ownId : without);
  }

  get isAlone(): boolean {
    return this.#placed === undefined || this.#placed.isEmpty;
  }

  leave(): void {
    this.#isLeaving = true;
    for (const member of this.#members.values()) member.announceLeaving();
  }

  async close(): Promise<void> {
    this.leave();
    await this.#service?.close();
    this.#closed = true;
    this.#stopWatching();
    this.#server?.close();
    await Promise.all([...this.#members.values()].map((member) => member.close()));
  }

  #open(host: PeerHost): ServedHost {
    const { clock, limits, sender } = this.#options;
    const sockets = this.#openSockets();
    const path = sockets.pathOf(sockets.ownName);
    const front = new WorkerFront(host, this, clock);
    const service = createFrameService(this.#options);
    service.attach(this.#untilJoined(host));
    this.#server = new WorkerServer({
      path,
      maxFrameBytes: limits.maxFrameBytes,
      service,
      takeShare: (frame, nextTicket) => {
        const takeOver = (part: Parameters<typeof front.takeShare>[0]): number | Promise<number> =>
          this.joining?.then(() => front.takeShare(part, nextTicket)) ??
          front.takeShare(part, nextTicket);
        const once = { lookup: host.lookup, invalidate: host.invalidate, takeOver };
        return createFrameServer({ host: once, limits, sender }).entries(frame);
      },
      onConnection: () => this.#connected(),
      onHello: (name) => this.#greeted(name),
      onLeaving: (name) => this.#otherLeaves(name),
      onApart: () => this.#host?.rejoined?.(),
      onClose: (name) => this.#disconnected(name),
    });
    this.#sockets = sockets;
    this.#service = service;
    this.#ownId = this.#idOf(sockets.ownName);
    this.#placed = new WorkerSet(this.#ownId);
    // After this process listens: of two that start together, at least one finds the other.
    for (const name of sockets.others()) void this.#meet(name).met.then(this.#awaitStranger());
    this.#stopWatching = watchSocketFile(path, { clock, onDeleted: () => this.#bindAnew(path) });
    return front;
  }

  #openSockets(): WorkerSockets {
    const { scope, selfId, places } = this.#options;
    return openWorkerSockets(`${scope}\n${selfId}\n${programOf(process.argv[1])}`, places);
  }

  /** The socket's file was deleted, perhaps with its folder: processes that have started since do not know this one. */
  #bindAnew(path: string): void {
    const { ownName, others } = this.#sockets as WorkerSockets;
    try {
      // Creates the folder if necessary, and checks that it still belongs to this user alone.
      if (this.#openSockets().pathOf(ownName) !== path) throw new Error(`${path} was deleted`);
      this.#server?.bindAnew();
    } catch (error) {
      if (isOneOfSeveral() || this.#members.size > 0) this.#warnAboutOthers(error);
      return;
    }
    for (const name of others()) if (!this.#members.has(name)) void this.#meetLate(name);
  }

  async #meetLate(name: string): Promise<void> {
    const member = this.#meet(name);
    const isKnown = this.#awaitStranger();
    await member.met;
    isKnown();
    if (!this.#members.has(name)) return;
    member.announceApart();
    this.#host?.rejoined?.();
  }

  #warnAboutOthers(reason: unknown): void {
    if (this.#isWarned) return;
    this.#isWarned = true;
    const { onWarning, selfId } = this.#options;
    const detail = reason instanceof Error ? reason.message : String(reason);
    onWarning({
      kind: "shared-address",
      peerId: selfId,
      message: `${selfId} is shared by processes that cannot find each other, so invalidations do not reach all of them: give each its own selfUrl, or make this usable: ${detail}`,
    });
  }

  /** Answers other workers by this process alone. While joining, a value cached for them would miss the invalidations of those that are not met yet. */
  #untilJoined(host: PeerHost): ServedHost {
    return {
      lookup: (lookup, options) =>
        this.joining?.then(() => host.lookup(lookup, options)) ?? host.lookup(lookup, options),
      invalidate: (invalidation) => host.invalidate(invalidation),
      takeOver: (part) =>
        this.joining?.then(() => host.takeOver?.(part) ?? 0) ?? host.takeOver?.(part) ?? 0,
    };
  }

  /** Counts a process that this one does not know yet. The returned function is called when it does, or when the process is gone. */
  #awaitStranger(): () => void {
    this.#strangers++;
    this.joining ??= new Promise((resolve) => {
      this.#endJoining = resolve;
    });
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#strangers--;
      if (this.#strangers > 0) return;
      this.joining = undefined;
      this.#endJoining();
    };
  }

  /** The member of a name; connects to a new one. */
  #meet(name: string): WorkerMember {
    const known = this.#members.get(name);
    if (known !== undefined) return known;
    const member = new WorkerMember({
      ...this.#options,
      id: this.#idOf(name),
      name,
      sockets: this.#sockets as WorkerSockets,
      onChange: reportHealth(this.#options),
      onLost: ({ peer }) => this.#placed?.remove(peer),
      onBack: ({ peer }) => {
        this.#placed?.add(peer);
        this.#host?.rejoined?.();
      },
      onGone: ({ peer }) => {
        this.#members.delete(name);
        this.#peers = this.#peers.filter((other) => other !== peer);
        this.#placed?.remove(peer);
      },
    });
    const { peer } = member;
    this.#members.set(name, member);
    this.#peers = [...this.#peers, peer];
    this.#placed?.add(peer);
    if (this.#isLeaving) member.announceLeaving();
    return member;
  }

  /** Another process connects: it may have started, and then answers for keys that this process loads now. */
  #connected(): () => void {
    const { clock, health } = this.#options;
    const isKnown = this.#awaitStranger();
    const cancelTimer = clock.schedule(health.pingTimeoutMs, isKnown);
    return () => {
      cancelTimer();
      isKnown();
    };
  }

  #greeted(name: string): void {
    if (!this.#closed) this.#meet(name).connected();
  }

  #otherLeaves(name: string): void {
    const member = this.#members.get(name);
    if (member === undefined) return;
    member.leaves();
    this.#placed?.remove(member.peer);
  }

  #disconnected(name: string): void {
    if (!this.#closed) this.#members.get(name)?.disconnected();
  }

  #idOf(name: string): string {
    return `${this.#options.selfId}#worker-${processOf(name)}`;
  }
}
