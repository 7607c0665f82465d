import { describe, invalidArgument } from "../option-checks.ts";
import type { PeerPicker } from "../peer.ts";
import type { PeerDiscovery } from "./peer-discovery.ts";

/** Members that a discovery finds, until `updatePeers` is called by hand. */
export class FollowedPeers {
  readonly #picker: Pick<PeerPicker, "selfId" | "updatePeers">;
  readonly #discovery: PeerDiscovery | undefined;
  readonly #onWarning: (message: string) => void;
  #followed = true;

  /** Starts the discovery, if there is one. Throws its `INVALID_ARGUMENT` when it cannot work for this node. */
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
      onPeers: (ids) => this.#take(ids),
      onWarning: (message) => {
        if (this.#followed) this.#onWarning(message);
      },
    });
  }

  /** Replaces the membership, and takes it out of the discovery's hands for good. */
  updatePeers(ids: readonly string[]): void {
    this.#picker.updatePeers(ids);
    void this.close();
  }

  /** Ends the discovery; the membership stays as it is. */
  async close(): Promise<void> {
    this.#followed = false;
    try {
      await this.#discovery?.close();
    } catch (error) {
      this.#onWarning(`discovery failed to close: ${reasonOf(error)}`);
    }
  }

  #take(ids: readonly string[]): void {
    if (!this.#followed) return;
    try {
      this.#picker.updatePeers([...new Set([this.#picker.selfId, ...ids])]);
    } catch (error) {
      this.#onWarning(`discovery returned an invalid peer list: ${reasonOf(error)}`);
    }
  }
}

/** Throws `INVALID_ARGUMENT` unless the option is absent or can be started and closed. */
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
