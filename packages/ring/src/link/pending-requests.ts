import type { ParsecError } from "@parsec/core";
import { abortedError } from "@parsec/core/authoring";
import type { Delivery, LinkRequest } from "./link.ts";
import { LinkError } from "./link-error.ts";

export interface PendingRequest {
  readonly address: string;
  readonly body: Uint8Array;
  /** Set when it is sent. */
  number: number;
  readonly isSettled: boolean;
  succeed(answer: Uint8Array): void;
  fail(error: ParsecError): void;
}

/** Requests that wait for their answers, by number. */
export class PendingRequests {
  readonly #all: Set<PendingRequest> = new Set();
  readonly #sent: Map<number, PendingRequest> = new Map();
  #last = 0;

  /** Opens a request, which ends by its answer, its time limit or its signal. */
  open(
    to: { readonly address: string; readonly body: Uint8Array },
    { timeoutMs, signal }: LinkRequest,
  ): { readonly request: PendingRequest; readonly answer: Promise<Uint8Array> } {
    let request: PendingRequest | undefined;
    const answer = new Promise<Uint8Array>((resolve, reject) => {
      let settled = false;
      const end = (done: () => void): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        if (request !== undefined) this.#close(request);
        done();
      };
      const fail = (error: ParsecError): void => end(() => reject(error));
      const abort = (): void => fail(abortedError(signal));
      const timer = setTimeout(() => {
        const delivery: Delivery = request?.number === 0 ? "not-delivered" : "unknown";
        fail(new LinkError("TIMEOUT", `no answer within ${Math.ceil(timeoutMs)} ms`, { delivery }));
      }, timeoutMs);
      request = {
        ...to,
        number: 0,
        get isSettled() {
          return settled;
        },
        succeed: (bytes) => end(() => resolve(bytes)),
        fail,
      };
      this.#all.add(request);
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    });
    return { request: request as unknown as PendingRequest, answer };
  }

  /** Assigns the next number, which the answer will carry. */
  number(request: PendingRequest): number {
    // Never 0, which marks a request that was not sent; wraps around after 2^32.
    do this.#last = this.#last >= 0xffff_ffff ? 1 : this.#last + 1;
    while (this.#sent.has(this.#last));
    request.number = this.#last;
    this.#sent.set(this.#last, request);
    return this.#last;
  }

  get(number: number): PendingRequest | undefined {
    return this.#sent.get(number);
  }

  /** Fails the requests to one address, or all. */
  fail(error: (delivery: Delivery) => ParsecError, address?: string): void {
    for (const request of [...this.#all]) {
      if (address !== undefined && request.address !== address) continue;
      request.fail(error(request.number === 0 ? "not-delivered" : "unknown"));
    }
  }

  #close(request: PendingRequest): void {
    this.#all.delete(request);
    this.#sent.delete(request.number);
  }
}
