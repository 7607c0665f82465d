import { isParsecError, ParsecError, type PeerHost } from "@parsec/core";
import type { MemoryNode, MemoryWire } from "./memory-wire.ts";

/** One request, already copied so that nothing the asker keeps is shared with the host. */
export interface MemoryRequest<Answer> {
  readonly kind: "lookup" | "invalidate" | "handOver";
  readonly group: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Asks the host, on the other side. */
  serve(host: PeerHost, signal: AbortSignal): Answer | Promise<Answer>;
  /** Copies the answer as it leaves the host; throws when it is over a limit. */
  copy(answer: Answer): Answer;
}

/** Carries one request to the node called `to` and its answer back; settles exactly once. */
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
  /** The node asked, as it is when the call starts. */
  readonly #asked: MemoryNode | undefined;
  readonly #request: MemoryRequest<Answer>;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: ParsecError) => void;
  /** One for each time the request has arrived and is being answered. */
  readonly #served: Set<AbortController> = new Set();
  /** A cancel may overtake the request it cancels; then the request must not start anything. */
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
    this.#asked = wire.node(route.to);
    this.#request = call.request;
    this.#resolve = call.resolve;
    this.#reject = call.reject;
  }

  start(): void {
    const { timeoutMs, signal, kind } = this.#request;
    if (Number.isFinite(timeoutMs)) {
      this.#cancelDeadline = this.#wire.clock.schedule(timeoutMs, () => {
        this.#withdraw();
        this.#fail(new ParsecError("TIMEOUT", `${this.#to} did not answer within ${timeoutMs} ms`));
      });
    }
    signal?.addEventListener("abort", this.#abort, { once: true });
    this.#from.calling.add(this.#end);
    this.#asked?.serving.add(this.#breakOff);
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

  readonly #breakOff = (): void => this.#unreachable("broke the connection");

  #send(
    kind: "lookup" | "invalidate" | "handOver" | "cancel",
    arrive: (garbled: boolean) => void,
  ): void {
    const message = { kind, from: this.#from.id, to: this.#to, group: this.#request.group };
    const sent = this.#wire.send(message, arrive);
    if (!sent) queueMicrotask(() => this.#unreachable("cannot be reached: the link is cut"));
  }

  #withdraw(): void {
    this.#send("cancel", () => {
      this.#withdrawn = true;
      for (const controller of this.#served) controller.abort();
    });
  }

  /** On the other side: the request, or a late copy of it, has arrived. */
  #arrive(garbled: boolean): void {
    const node = this.#wire.node(this.#to);
    if (!node?.up || node.host === undefined) {
      this.#unreachable("is not there");
    } else if (garbled) {
      this.#sendBack(node, () => this.#unreachable("could not read the request"));
    } else if (!this.#withdrawn) {
      this.#serve(node, node.host);
    }
  }

  #serve(node: MemoryNode, host: PeerHost): void {
    const controller = new AbortController();
    this.#served.add(controller);
    const refuse = (error: unknown): void => {
      this.#served.delete(controller);
      const travelled = errorAfterTravel(error);
      this.#sendBack(node, () => this.#fail(travelled));
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
    // What a dead node still works out stays with it.
    if (!node.up) return;
    const message = {
      kind: "answer" as const,
      from: this.#to,
      to: this.#from.id,
      group: this.#request.group,
    };
    const sent = this.#wire.send(message, (garbled) => {
      if (garbled) this.#unreachable("answered what nobody can read");
      else arrive();
    });
    if (!sent) queueMicrotask(this.#breakOff);
  }

  #unreachable(why: string): void {
    this.#fail(new ParsecError("PEER_UNREACHABLE", `${this.#to} ${why}`));
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
    this.#asked?.serving.delete(this.#breakOff);
    finish();
  }
}

/** An error as it arrives on the other side: code and message, as over a socket, never the cause. */
function errorAfterTravel(error: unknown): ParsecError {
  return isParsecError(error)
    ? new ParsecError(error.code, error.message)
    : new ParsecError("PEER_UNREACHABLE", "the peer's host threw a foreign error");
}

function aborted(): ParsecError {
  return new ParsecError("ABORTED", "the caller aborted");
}

function closed(node: MemoryNode): ParsecError {
  return new ParsecError("CLOSED", `${node.id} has closed its peers`);
}
