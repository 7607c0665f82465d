import { ParsecError } from "@parsec/core";
import type { Link, LinkHandler } from "./link.ts";
import { LinkError } from "./link-error.ts";

/** A link to the other nodes of the same process. Messages of nodes that are cut off vanish. */
export function createMemoryLink(options: {
  readonly address: string;
  readonly handlers: Map<string, LinkHandler>;
  isCut(): boolean;
}): Link {
  const { address, handlers, isCut } = options;
  const pending = new Set<(error: ParsecError) => void>();
  let closed = false;
  return {
    address,
    serve(handler) {
      handlers.set(address, async (request) => {
        // Whoever is cut off neither hears nor is heard.
        if (isCut()) return new Promise<Uint8Array>(() => {});
        const answer = await handler(request);
        return isCut() ? new Promise<Uint8Array>(() => {}) : answer;
      });
    },
    request(to, body, { timeoutMs, signal }) {
      return new Promise((resolve, reject) => {
        const settle = (done: () => void): void => {
          pending.delete(fail);
          clearTimeout(timer);
          signal?.removeEventListener("abort", abort);
          done();
        };
        const fail = (error: ParsecError): void => settle(() => reject(error));
        const abort = (): void =>
          fail(new ParsecError("ABORTED", "the caller waits no longer", { cause: signal?.reason }));
        const timer = setTimeout(() => {
          const message = `no answer within ${timeoutMs} ms`;
          fail(new LinkError("TIMEOUT", message, { delivery: "unknown" }));
        }, timeoutMs);
        pending.add(fail);
        if (signal?.aborted) return abort();
        signal?.addEventListener("abort", abort, { once: true });
        const handler = handlers.get(to);
        if (closed || handler === undefined) {
          const message = closed ? "the link was closed" : "nobody serves under that address";
          const code = closed ? "CLOSED" : "PEER_UNREACHABLE";
          return fail(new LinkError(code, message, { delivery: "not-delivered" }));
        }
        if (isCut()) return;
        // Copies, because a network would make them: neither side can change what the other has.
        void Promise.resolve(body.slice())
          .then(handler)
          .then(
            (answer) => {
              if (!isCut()) settle(() => resolve(answer.slice()));
            },
            (cause: unknown) => {
              const message = "the other node failed to answer";
              fail(new LinkError("PEER_UNREACHABLE", message, { delivery: "unknown", cause }));
            },
          );
      });
    },
    close() {
      closed = true;
      handlers.delete(address);
      for (const fail of [...pending]) {
        fail(new LinkError("CLOSED", "the link was closed", { delivery: "unknown" }));
      }
      return Promise.resolve();
    },
  };
}
