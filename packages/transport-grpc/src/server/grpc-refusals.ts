import type { Clock } from "@parsec/core";
import type { GrpcPeersWarning } from "../grpc-options.ts";

/** One of a kind is reported at once; those that follow are counted for this long. */
const quietMs = 10_000;
/** Kinds remembered at once; strangers choose their addresses, so there must be a bound. */
const maxKinds = 1000;

interface Silence {
  readonly until: number;
  suppressed: number;
}

/** Tells the operator who was refused and why, without letting strangers fill his logs. */
export class RefusalLog {
  readonly #clock: Clock;
  readonly #onWarning: (warning: GrpcPeersWarning) => void;
  readonly #silences: Map<string, Silence> = new Map();

  constructor(options: {
    readonly clock: Clock;
    readonly onWarning: (warning: GrpcPeersWarning) => void;
  }) {
    this.#clock = options.clock;
    this.#onWarning = options.onWarning;
  }

  /** `peer` is the address the call came from; `reason` must hold nothing that came with the call. */
  refused(peer: string, reason: string): void {
    const now = this.#clock.now();
    const kind = `${peer.slice(0, peer.lastIndexOf(":"))} ${reason}`;
    const silence = this.#silences.get(kind);
    if (silence !== undefined && now < silence.until) {
      silence.suppressed++;
      return;
    }
    if (this.#silences.size >= maxKinds) this.#silences.clear();
    this.#silences.set(kind, { until: now + quietMs, suppressed: 0 });
    const more =
      silence === undefined || silence.suppressed === 0
        ? ""
        : ` (and ${silence.suppressed} times before)`;
    this.#onWarning({
      kind: "refused",
      peerId: peer,
      message: `a call from ${peer} was refused: ${reason}${more}`,
    });
  }
}
