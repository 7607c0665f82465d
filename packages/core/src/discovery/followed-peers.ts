import { describe, invalidArgument } from "../option-checks.ts";
import type { PeerPicker } from "../peer.ts";
import type { PeerDiscovery } from "./peer-discovery.ts";

/** Applies the members that a discovery finds to a picker, until the application calls `updatePeers`. */
export class FollowedPeers {
  readonly #picker: Pick<PeerPicker, "selfId" | "updatePeers">;
  readonly #discovery: PeerDiscovery | undefined;
  readonly #onWarning: (message: string) => void;
  #active = true;

  /** Starts the discovery, if there is one. Throws `INVALID_ARGUMENT` when it does not work with this node's id. */
  constructor(
    picker: Pick<PeerPicker, "selfId" | "updatePeers">,
    options: {
      readonly discovery: PeerDiscovery | undefined;
      readonly onWarning: (message: string) => void;
    },
  ) {
    this.#picker = picker;
    this.#discovery = options.discovery;
    this.#onWarning = options.onWarning;
    this.#discovery?.start({
      selfId: picker.selfId,
      onPeers: (ids) => this.#applyPeers(ids),
      onWarning: (message) => {
        if (this.#active) this.#onWarning(message);
      },
    });
  }

  /** Replaces the membership and closes the discovery. */
  updatePeers(ids: readonly string[]): void {
    this.#picker.updatePeers(ids);
    void this.close();
  }

  /** Closes the discovery; the membership stays as it is. */
  async close(): Promise<void> {
    this.#active = false;
    try {
      await this.#discovery?.close();
    } catch (error) {
      this.#onWarning(`discovery failed to close: ${reasonOf(error)}`);
    }
  }

  #applyPeers(ids: readonly string[]): void {
    if (!this.#active) return;
    try {
      this.#picker.updatePeers([...new Set([this.#picker.selfId, ...ids])]);
    } catch (error) {
      this.#onWarning(`discovery returned an invalid peer list: ${reasonOf(error)}`);
    }
  }
}

/** Checks a transport's `discovery` option. Throws `INVALID_ARGUMENT` unless it is absent or has `start` and `close`. */
export function discoveryOption(given: PeerDiscovery | undefined): PeerDiscovery | undefined {
  if (given === undefined) return undefined;
  const { start, close } = (given ?? {}) as Partial<Record<keyof PeerDiscovery, unknown>>;
  if (typeof start === "function" && typeof close === "function") return given;
  throw invalidArgument(
    `discovery must have start and close, such as createDnsDiscovery({ … }), got ${describe(given)}`,
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
