import { isParsecError, ParsecError, type PeerHost } from "@parsec/core";
import type { MemoryNode, MemoryWire } from "./memory-wire.ts";

/** One request, copied so that caller and host share no memory. */
export interface MemoryRequest<Answer> {
  readonly kind: "lookup" | "invalidate" | "handOver" | "contact";
  readonly group: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Calls the host on the other side. */
  serve(host: PeerHost, signal: AbortSignal): Answer | Promise<Answer>;
  /** Copies the host's answer; throws when it exceeds a limit. */
  copy(answer: Answer): Answer;
}

/** Sends one request to the node `to` and returns its answer; settles exactly once. */
export function callNode<Answer>(
  wire: MemoryWire,
  route: { readonly from: MemoryNode; readonly to: string },
  request: MemoryRequest<Answer>,
): Promise<Answer> {
  const { from } = route;
  if (!from.up) return Promise.reject(closed(from));
  if (request.signal?.aborted) return Promise.reject(aborted());
  return new Promise((resolve, reject) => {
    new MemoryCall(wire, route, { request, resolve, reject }).start();
  });
}

class MemoryCall<Answer> {
  readonly #wire: MemoryWire;
  readonly #from: MemoryNode;
  readonly #to: string;
  /** The receiving node at the start of the call. */
  readonly #receiver: MemoryNode | undefined;
  readonly #request: MemoryRequest<Answer>;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: ParsecError) => void;
  /** One for each arrival of the request that is being answered. */
  readonly #served: Set<AbortController> = new Set();
  /** A cancel may overtake its request, which must then not start anything. */
  #withdrawn = false;
  #settled = false;
  #cancelDeadline = (): void => {};

  constructor(
    wire: MemoryWire,
    route: { readonly from: MemoryNode; readonly to: string },
    call: {
      readonly request: MemoryRequest<Answer>;
      readonly resolve: (answer: Answer) => void;
      readonly reject: (error: ParsecError) => void;
    },
  ) {
    this.#wire = wire;
    this.#from = route.from;
    this.#to = route.to;
    this.#receiver = wire.node(route.to);
    this.#request = call.request;
    this.#resolve = call.resolve;
    this.#reject = call.reject;
  }

  start(): void {
    const { timeoutMs, signal, kind } = this.#request;
    if (Number.isFinite(timeoutMs)) {
      this.#cancelDeadline = this.#wire.clock.schedule(timeoutMs, () => {
        this.#withdraw();
        this.#fail(
          new ParsecError(
            "TIMEOUT",
            `${this.#to} did not answer within ${Math.round(timeoutMs)} ms`,
          ),
        );
      });
    }
    signal?.addEventListener("abort", this.#abort, { once: true });
    this.#from.calling.add(this.#end);
    this.#receiver?.serving.add(this.#breakOff);
    this.#send(kind, (garbled) => this.#arrive(garbled));
  }

  readonly #abort = (): void => {
    this.#withdraw();
    this.#fail(aborted());
  };

  readonly #end = (noticed: boolean): void => {
    if (noticed) this.#withdraw();
    this.#fail(closed(this.#from));
  };

  readonly #breakOff = (): void => this.#unreachable("connection lost");

  #send(kind: MemoryRequest<Answer>["kind"] | "cancel", arrive: (garbled: boolean) => void): void {
    const message = { kind, from: this.#from.id, to: this.#to, group: this.#request.group };
    const sent = this.#wire.send(message, arrive);
    if (!sent) queueMicrotask(() => this.#unreachable("the link is cut"));
  }

  #withdraw(): void {
    this.#send("cancel", () => {
      this.#withdrawn = true;
      for (const controller of this.#served) controller.abort();
    });
  }

  /** On the receiving side: handles the request or a late copy of it. */
  #arrive(garbled: boolean): void {
    const node = this.#wire.node(this.#to);
    if (!node?.up || node.host === undefined) {
      this.#unreachable("node is down or has no host");
    } else if (garbled) {
      this.#sendBack(node, () => this.#unreachable("the request arrived garbled"));
    } else if (!this.#withdrawn) {
      this.#serve(node, node.host);
    }
  }

  #serve(node: MemoryNode, host: PeerHost): void {
    const controller = new AbortController();
    this.#served.add(controller);
    const refuse = (error: unknown): void => {
      this.#served.delete(controller);
      const sent = toSentError(error);
      this.#sendBack(node, () => this.#fail(sent));
    };
    const answer = (value: Answer): void => {
      this.#served.delete(controller);
      const copy = this.#request.copy(value);
      this.#sendBack(node, () => this.#settle(() => this.#resolve(copy)));
    };
    try {
      const result = this.#request.serve(host, controller.signal);
      if (result instanceof Promise) result.then(answer).catch(refuse);
      else answer(result);
    } catch (error) {
      refuse(error);
    }
  }

  #sendBack(node: MemoryNode, arrive: () => void): void {
    // A crashed node sends no answers.
    if (!node.up) return;
    const message = {
      kind: "answer" as const,
      from: this.#to,
      to: this.#from.id,
      group: this.#request.group,
    };
    const sent = this.#wire.send(message, (garbled) => {
      if (garbled) this.#unreachable("the answer arrived garbled");
      else arrive();
    });
    if (!sent) queueMicrotask(this.#breakOff);
  }

  #unreachable(reason: string): void {
    this.#fail(new ParsecError("PEER_UNREACHABLE", `${this.#to}: ${reason}`));
  }

  #fail(error: ParsecError): void {
    this.#settle(() => this.#reject(error));
  }

  #settle(finish: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#cancelDeadline();
    this.#request.signal?.removeEventListener("abort", this.#abort);
    this.#from.calling.delete(this.#end);
    this.#receiver?.serving.delete(this.#breakOff);
    finish();
  }
}

/** The error with code and message only: its cause is not sent, as with other transports. */
function toSentError(error: unknown): ParsecError {
  return isParsecError(error)
    ? new ParsecError(error.code, error.message)
    : new ParsecError("PEER_UNREACHABLE", "the host of the peer threw a foreign error");
}

function aborted(): ParsecError {
  return new ParsecError("ABORTED", "aborted by the caller");
}

function closed(node: MemoryNode): ParsecError {
  return new ParsecError("CLOSED", `${node.id}: its peers are closed`);
}
