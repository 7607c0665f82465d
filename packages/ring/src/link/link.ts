/** Why a request got no answer, as far as it matters for whether it may be sent again. */
export type Delivery = "not-delivered" | "unknown";

/** Answers requests of other nodes. Must not throw; what it resolves with is the whole answer. */
export type LinkHandler = (request: Uint8Array) => Uint8Array | Promise<Uint8Array>;

export interface LinkRequest {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** How nodes reach each other: one request, one answer. Whatever is asked in one turn of the event loop may travel together. */
export interface Link {
  /** Where others reach this node, for as long as its process lives. */
  readonly address: string;
  /** Begins to answer; called once. */
  serve(handler: LinkHandler): void;
  /** Rejects with a {@link LinkError}, or with `ABORTED` when the signal fires. */
  request(address: string, body: Uint8Array, options: LinkRequest): Promise<Uint8Array>;
  /** Whoever was reached there is gone: requests that wait for its answers reject, since none will come. */
  abandon(address: string): void;
  /** Requests under way reject. Closing twice is fine. */
  close(): Promise<void>;
}
