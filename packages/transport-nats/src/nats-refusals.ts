import type { Clock } from "@parsec/core";
import type { NatsPeersWarning } from "./nats-options.ts";

/** Messages can be refused by the thousand: they are counted, and told of this often. */
const quietMs = 10_000;

/** Keeps the account of messages that were refused for who sent them or how. */
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

  /** `reason` says what was wrong, and repeats nothing of the message. */
  note(reason: string): void {
    this.#count++;
    const now = this.#clock.now();
    if (now < this.#quietUntil) return;
    this.#quietUntil = now + quietMs;
    const message = `refused a message: ${reason} (${this.#count} since the start)`;
    this.#warn({ kind: "refused", peerId: this.#nodeId, message });
  }
}
