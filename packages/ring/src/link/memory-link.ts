import type { Link, LinkHandler } from "./link.ts";
import { LinkError } from "./link-error.ts";
import { type PendingRequest, PendingRequests } from "./pending-requests.ts";

/** A link between nodes of one process. Messages to and from nodes that are cut off are lost. */
export function createMemoryLink(options: {
  readonly address: string;
  readonly handlers: Map<string, LinkHandler>;
  isCut(): boolean;
}): Link {
  const { address, handlers, isCut } = options;
  const pending = new PendingRequests();
  let closed = false;
  const deliver = async (request: PendingRequest): Promise<void> => {
    const handler = handlers.get(request.address);
    if (handler === undefined) {
      const message = "no node serves this address";
      request.fail(new LinkError("PEER_UNREACHABLE", message, { delivery: "not-delivered" }));
      return;
    }
    pending.number(request);
    if (isCut()) return;
    try {
      // Copied, as by a network: neither side can change the bytes of the other.
      const answer = await handler(request.body.slice());
      if (!isCut()) request.succeed(answer.slice());
    } catch (cause) {
      const message = "the other node failed to answer";
      request.fail(new LinkError("PEER_UNREACHABLE", message, { delivery: "unknown", cause }));
    }
  };
  return {
    address,
    serve(handler) {
      handlers.set(address, async (request) => {
        // A node that is cut off neither receives nor sends.
        if (isCut()) return new Promise<Uint8Array>(() => {});
        const answer = await handler(request);
        return isCut() ? new Promise<Uint8Array>(() => {}) : answer;
      });
    },
    request(to, body, limits) {
      if (closed) {
        const message = "the link was closed";
        return Promise.reject(new LinkError("CLOSED", message, { delivery: "not-delivered" }));
      }
      const { request, answer } = pending.open({ address: to, body }, limits);
      queueMicrotask(() => void (request.isSettled || deliver(request)));
      return answer;
    },
    abandon(to) {
      const message = "the node has left or died";
      pending.fail((delivery) => new LinkError("PEER_UNREACHABLE", message, { delivery }), to);
    },
    close() {
      closed = true;
      handlers.delete(address);
      pending.fail((delivery) => new LinkError("CLOSED", "the link was closed", { delivery }));
      return Promise.resolve();
    },
  };
}
