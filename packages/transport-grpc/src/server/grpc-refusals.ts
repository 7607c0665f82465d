import type { Clock } from "@parsec/core";
import type { GrpcPeersWarning } from "../grpc-options.ts";

/** After a warning, refusals for the same reason from the same host are only counted for this long. */
const quietMs = 10_000;
/** Maximum number of host and reason pairs in memory. Attackers choose their addresses, so it must be bounded. */
const maxKinds = 1000;

interface Silence {
  readonly until: number;
  suppressed: number;
}

/** Reports refused calls to `onWarning`, rate-limited so that an attacker cannot flood the log. */
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

  /** Reports a call from the address `peer`. `reason` must not contain data from the call. */
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
        : ` (and ${silence.suppressed} more before)`;
    this.#onWarning({
      kind: "refused",
      peerId: peer,
      message: `${peer}: call refused: ${reason}${more}`,
    });
  }
}
