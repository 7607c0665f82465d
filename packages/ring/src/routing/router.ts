import { type Clock, isParsecError, ParsecError } from "@parsec/core";
import { abortedError } from "@parsec/core/authoring";
import { LinkError } from "../link/link-error.ts";
import { memberOf, type RingTable } from "../table/ring-table.ts";
import { type Answer, decodeAnswer, type RequestHead } from "../wire/ring-message.ts";
import { encodeRequest, type OwnerRequest } from "./request-body.ts";

export interface RouterOptions {
  readonly selfId: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly table: () => RingTable | undefined;
  readonly whenTable: (epoch: number) => Promise<void>;
  /** Calls `task` once, at the next change of the table; the returned function cancels that. */
  readonly onNextTable: (task: () => void) => () => void;
  readonly serveHere: (head: RequestHead, request: OwnerRequest) => Promise<Answer>;
  readonly send: (
    address: string,
    request: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
  ) => Promise<Uint8Array>;
  /** Why this node can serve and send nothing at the moment, so that a request need not wait for its time limit. */
  readonly cutOff: () => string | undefined;
  /** Requests of this node that may be under way at the same time. */
  readonly maxPending: number;
}

export interface RouteOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

const maxRedirects = 3;
const firstPauseMs = 2;
const longestPauseMs = 25;
const redirectPauseMs = 100;

/**
 * Sends a request to the owner of the partition: one hop, never forwarded. A request that was certainly not
 * executed is sent again, to the owner by the newest table, until the time limit; one that may have been is not.
 */
export class Router {
  readonly #options: RouterOptions;
  #pending = 0;

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  get pending(): number {
    return this.#pending;
  }

  async ask(partition: number, request: OwnerRequest, route: RouteOptions): Promise<Uint8Array> {
    const { maxPending } = this.#options;
    if (this.#pending >= maxPending) {
      throw new ParsecError("OVERLOADED", `${maxPending} requests of this node are under way`);
    }
    this.#pending++;
    try {
      return await this.#askUntilDeadline(partition, request, route);
    } finally {
      this.#pending--;
    }
  }

  async #askUntilDeadline(
    partition: number,
    request: OwnerRequest,
    route: RouteOptions,
  ): Promise<Uint8Array> {
    const { clock, whenTable } = this.#options;
    const { signal } = route;
    const deadline = clock.now() + route.timeoutMs;
    let redirects = 0;
    let reason = "the partition has no owner";
    for (let attempt = 0; ; attempt++) {
      const asked = this.#options.table();
      const redirectsBefore = redirects;
      if (signal?.aborted) throw aborted(signal);
      const cutOff = isStale(request) ? undefined : this.#options.cutOff();
      if (cutOff !== undefined) {
        throw new ParsecError("PEER_UNREACHABLE", `${cutOff}; the request was not executed`);
      }
      const timeoutMs = deadline - clock.now();
      if (timeoutMs <= 0) {
        throw new ParsecError(
          "TIMEOUT",
          `partition ${partition} was not served within ${route.timeoutMs} ms: ${reason}`,
        );
      }
      const answer = await this.#attempt(partition, request, { timeoutMs, signal });
      if (answer instanceof LinkError) {
        reason = answer.message;
      } else if (answer === undefined) {
        reason = "the partition has no owner";
      } else if (answer.outcome === "done") {
        return answer.body;
      } else if (answer.outcome === "failed") {
        throw answer.error;
      } else {
        reason = `its owner refused: ${answer.refusal}`;
        if (answer.refusal !== "not-ready" && ++redirects > maxRedirects) {
          const message = `partition ${partition} was refused by its owner ${redirects} times`;
          throw new ParsecError("PEER_UNREACHABLE", message);
        }
        if (answer.epoch > (this.#options.table()?.epoch ?? 0)) await whenTable(answer.epoch);
      }
      // The table has a new owner already.
      if (!isSameOwnership(partition, [asked, this.#options.table()])) {
        attempt = 0;
        continue;
      }
      // After a redirect, wait for the table that names the new owner.
      const isRedirected = redirects > redirectsBefore;
      const backoffMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(attempt, 10));
      await this.#pause(isRedirected ? redirectPauseMs * redirects : backoffMs, {
        deadline,
        signal,
      });
    }
  }

  /** Resolves with an answer; undefined while the partition has no owner; the error of a request that was not executed. */
  async #attempt(
    partition: number,
    request: OwnerRequest,
    route: RouteOptions,
  ): Promise<Answer | LinkError | undefined> {
    const { table: tableOf, selfId, send } = this.#options;
    const table = tableOf();
    const part = table?.parts[partition];
    if (table === undefined || part === undefined) return undefined;
    const target = isStale(request) && part.backups.includes(selfId) ? selfId : part.owner;
    const owner = memberOf(table, target);
    if (owner === undefined || !owner.present) return undefined;
    const { incarnation, epoch } = table;
    const head = { kind: request.kind, incarnation, epoch, partition, partEpoch: part.epoch };
    if (owner.id === selfId) return this.#here(head, request, route);
    const timed = request.kind === "call" ? { ...request, timeoutMs: route.timeoutMs } : request;
    try {
      return decodeAnswer(await send(owner.address, encodeRequest(head, timed), route));
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      const mayRepeat = request.kind === "read" || (request.kind === "call" && request.idempotent);
      const isHarmless = mayRepeat && error.code !== "CLOSED";
      if (error.delivery === "not-delivered" || isHarmless) {
        if (error.code === "FRAME_TOO_LARGE" || error.code === "CLOSED") throw error;
        return error;
      }
      throw error;
    }
  }

  /** Serves the request on this node, within the caller's time limit. */
  #here(head: RequestHead, request: OwnerRequest, route: RouteOptions): Promise<Answer> {
    const timed = request.kind === "call" ? { ...request, timeoutMs: route.timeoutMs } : request;
    const { signal, timeoutMs } = route;
    return new Promise((resolve, reject) => {
      const settle = (done: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        done();
      };
      const abort = (): void => settle(() => reject(aborted(signal)));
      const timer = setTimeout(() => {
        settle(() => reject(new ParsecError("TIMEOUT", `no answer within ${timeoutMs} ms`)));
      }, timeoutMs);
      signal?.addEventListener("abort", abort, { once: true });
      this.#options.serveHere(head, timed).then(
        (answer) => settle(() => resolve(answer)),
        (error: unknown) => settle(() => reject(error)),
      );
    });
  }

  /** Waits until the table changes, at most for `pauseMs`. */
  #pause(
    longestMs: number,
    limits: { readonly deadline: number; readonly signal: AbortSignal | undefined },
  ): Promise<void> {
    const { clock, random } = this.#options;
    const { deadline, signal } = limits;
    const leftMs = Math.max(0, deadline - clock.now());
    const pauseMs = Math.min(longestMs * (0.5 + 0.5 * random()), leftMs);
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        forget();
        signal?.removeEventListener("abort", done);
        resolve();
      };
      // A new owner is asked as soon as there is one.
      const forget = this.#options.onNextTable(done);
      // Not unref'd: a caller waits for the answer.
      const timer = setTimeout(done, pauseMs);
      signal?.addEventListener("abort", done, { once: true });
    });
  }
}

/** A read that a backup may answer needs no lease. */
function isStale(request: OwnerRequest): boolean {
  return request.kind === "read" && request.staleOk;
}

function isSameOwnership(
  partition: number,
  [one, other]: readonly [RingTable | undefined, RingTable | undefined],
): boolean {
  const isSameRing = one?.incarnation === other?.incarnation;
  return isSameRing && one?.parts[partition]?.epoch === other?.parts[partition]?.epoch;
}

function aborted(signal: AbortSignal | undefined): ParsecError {
  const cause: unknown = signal?.reason;
  if (isParsecError(cause)) return cause;
  return abortedError(signal);
}
