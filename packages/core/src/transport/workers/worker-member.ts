import type { PeerHealthChange } from "../health/peer-health.ts";
import { WorkerConnection } from "./worker-connection.ts";
import { noBytes } from "./worker-messages.ts";
import { createWorkerPeer, type WorkerPeer, type WorkerPeerOptions } from "./worker-peer.ts";
import type { WorkerSockets } from "./worker-sockets.ts";

/** Before another attempt to connect, such as when the other process accepts too slowly. */
const retryMs = 10;
const maxAttempts = 100;
/** How long an invalidation waits to learn whether a process that was lost has ended. */
const fateMs = 1_000;

/** Options of {@link WorkerMember}. */
export interface WorkerMemberOptions
  extends Omit<WorkerPeerOptions, "connection" | "hasEnded" | "onChange"> {
  /** The name of the process's socket. */
  readonly name: string;
  readonly sockets: WorkerSockets;
  readonly onChange: (change: PeerHealthChange) => void;
  /** The connection was lost, and the process may have ended. */
  readonly onLost: (member: WorkerMember) => void;
  /** The process was lost, but runs: each side may have missed invalidations of the other. */
  readonly onBack: (member: WorkerMember) => void;
  /** The process has ended, or has left. */
  readonly onGone: (member: WorkerMember) => void;
}

/** Another process of this node, from its first connection to its end. */
export class WorkerMember {
  readonly peer: WorkerPeer;
  /** Resolves when the process notifies this one of invalidations, has ended, or does not respond. */
  readonly met: Promise<void>;
  readonly #options: WorkerMemberOptions;
  #connection: WorkerConnection;
  #settleMet: () => void = () => {};
  /** Open connections from the process, which show that it runs. */
  #incoming = 0;
  #isLeaving = false;
  #isGone = false;
  #wasWelcomed = false;
  #attempts = 0;
  /** While the connection is lost: resolves with whether the process has ended. */
  #fate:
    | { readonly ended: Promise<boolean>; readonly settle: (ended: boolean) => void }
    | undefined;

  constructor(options: WorkerMemberOptions) {
    this.#options = options;
    const { clock, health, onChange } = options;
    this.met = new Promise((resolve) => {
      // A process that is stopped reads the hello when it continues, before it reads later invalidations.
      const cancelTimer = clock.schedule(health.pingTimeoutMs, resolve);
      this.#settleMet = () => {
        cancelTimer();
        resolve();
      };
    });
    this.#connection = this.#connect();
    this.peer = createWorkerPeer({
      ...options,
      connection: () => this.#connection,
      hasEnded: () => this.#hasEnded(),
      onChange: (change) => {
        if (!this.#isGone && this.#fate === undefined) onChange(change);
      },
    });
  }

  get name(): string {
    return this.#options.name;
  }

  /** The process takes no more keys, and will end. */
  leaves(): void {
    this.#isLeaving = true;
  }

  /** Announces that this process takes no more keys. */
  announceLeaving(): void {
    this.#connection.write({ kind: "leaving", exchange: 0, body: noBytes });
  }

  /** Announces that both processes ran without knowing each other. */
  announceApart(): void {
    this.#connection.write({ kind: "apart", exchange: 0, body: noBytes });
  }

  /** The process opened a connection. */
  connected(): void {
    this.#incoming++;
  }

  /** A connection from the process ended, so this process's connection to it ends as well. */
  disconnected(): void {
    this.#incoming--;
    if (this.#fate === undefined) this.#connection.close();
  }

  /** Ends the connection. Calls under way fail, and `onGone` is called. */
  async close(): Promise<void> {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#settleMet();
    this.#fate?.settle(true);
    this.#options.onGone(this);
    await this.peer.close();
  }

  async #hasEnded(): Promise<boolean> {
    if (this.#isGone || this.#fate === undefined) return this.#isGone;
    const { clock } = this.#options;
    let cancelTimer = (): void => {};
    const late = new Promise<boolean>((resolve) => {
      cancelTimer = clock.schedule(fateMs, () => resolve(false));
    });
    const ended = await Promise.race([this.#fate.ended, late]);
    cancelTimer();
    return ended;
  }

  #connect(): WorkerConnection {
    const { id, name, sockets } = this.#options;
    return new WorkerConnection({
      id,
      path: sockets.pathOf(name),
      ownName: sockets.ownName,
      onWelcome: () => this.#welcomed(),
      onClose: (code) => this.#lost(code),
    });
  }

  #welcomed(): void {
    const isBack = this.#fate !== undefined && this.#wasWelcomed;
    this.#wasWelcomed = true;
    this.#attempts = 0;
    this.#fate?.settle(false);
    this.#fate = undefined;
    this.#settleMet();
    if (isBack) this.#options.onBack(this);
  }

  #lost(code: string | undefined): void {
    if (this.#isGone) return;
    const { clock, name, sockets, onLost } = this.#options;
    this.#attempts++;
    const isRefused = code === "ECONNREFUSED" || code === "ENOENT";
    const hasEnded = this.#isLeaving || isRefused || this.#attempts > maxAttempts;
    if (hasEnded && (this.#incoming === 0 || this.#isLeaving)) {
      if (code === "ECONNREFUSED") sockets.remove(name);
      void this.close();
      return;
    }
    this.#fate ??= openFate();
    onLost(this);
    const again = (): void => {
      if (!this.#isGone) this.#connection = this.#connect();
    };
    if (this.#attempts === 1) again();
    else clock.schedule(retryMs, again);
  }
}

function openFate(): { ended: Promise<boolean>; settle: (ended: boolean) => void } {
  let settle = (_: boolean): void => {};
  const ended = new Promise<boolean>((resolve) => {
    settle = resolve;
  });
  return { ended, settle };
}
