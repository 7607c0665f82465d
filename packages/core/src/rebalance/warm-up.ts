import type { Clock } from "../clock.ts";
import type { Peer, PeerPicker } from "../peer.ts";

/** How long a node that has just come asks the former owner of a key before it goes to the origin. */
const warmUpMs = 60_000;

/**
 * While a node is new, the keys it owns lie in the memories of those who owned them before it came,
 * which are those who would own them if it were not there. Asking them spares the origin a stampede
 * at each join and restart (ADR 0007).
 */
export class WarmUp {
  readonly #clock: Clock;
  readonly #picker: PeerPicker;
  #endsAt: number;

  constructor(clock: Clock, picker: PeerPicker) {
    this.#clock = clock;
    this.#picker = picker;
    this.#endsAt = clock.now() + warmUpMs;
  }

  /** Begins anew, such as after this node was cut off. */
  restart(): void {
    this.#endsAt = this.#clock.now() + warmUpMs;
  }

  /** Who may have the value of a key this node owns; undefined once the node is warm, or has no peers. */
  formerOwner(key: string): Peer | undefined {
    if (this.#clock.now() >= this.#endsAt) return undefined;
    return this.#picker.pick(key, this.#picker.selfId);
  }
}
