/** Whether a request that got no answer may have reached the other node. */
export type Delivery = "not-delivered" | "unknown";

/** Answers requests of other nodes. Must not reject; it resolves with the whole answer. */
export type LinkHandler = (request: Uint8Array) => Uint8Array | Promise<Uint8Array>;

export interface LinkRequest {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests to other nodes. Requests of one turn of the event loop may share a message. */
export interface Link {
  /** The address at which others reach this process. */
  readonly address: string;
  /** Sets the handler of requests; called once. */
  serve(handler: LinkHandler): void;
  /** Sends a request. Rejects with a {@link LinkError}, or with `ABORTED` when the signal fires. */
  request(address: string, body: Uint8Array, options: LinkRequest): Promise<Uint8Array>;
  /** Rejects requests to an address whose node is gone, since no answer will arrive. */
  abandon(address: string): void;
  /** Rejects requests under way. A second call does nothing. */
  close(): Promise<void>;
}
