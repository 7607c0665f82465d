import type { Clock } from "@parsec/core";
import type { NatsPeersWarning } from "../nats-options.ts";

/** The least time between two warnings of refused messages, of which there can be thousands. */
const quietMs = 10_000;

/** Counts refused messages and warns of them. */
export class Refusals {
  readonly #clock: Clock;
  readonly #warn: (warning: NatsPeersWarning) => void;
  readonly #nodeId: string;
  #count = 0;
  #quietUntil = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly clock: Clock;
    readonly nodeId: string;
    readonly onWarning: (warning: NatsPeersWarning) => void;
  }) {
    this.#clock = options.clock;
    this.#nodeId = options.nodeId;
    this.#warn = options.onWarning;
  }

  get count(): number {
    return this.#count;
  }

  /** Counts a refused message. `reason` must not repeat anything of the message. */
  note(reason: string): void {
    this.#count++;
    const now = this.#clock.now();
    if (now < this.#quietUntil) return;
    this.#quietUntil = now + quietMs;
    const message = `refused a message: ${reason} (${this.#count} since the start)`;
    this.#warn({ kind: "refused", peerId: this.#nodeId, message });
  }
}
