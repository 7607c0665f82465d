import { isParsecError, ParsecError } from "@parsec/core";
import type { OwnerTerm } from "../ownership/owner-term.ts";
import type { WriteAck } from "../replication/partition-log.ts";
import type { Replica } from "../replication/replica.ts";
import type { RingTable } from "../table/ring-table.ts";
import type { Answer, Refusal, RequestHead } from "../wire/ring-message.ts";
import type { OwnerRequest } from "./request-body.ts";

/** A request to the owner of a key, as its handler gets it. */
export interface RingRequest {
  readonly key: string;
  readonly partition: number;
  /**
   * The ownership under which the request is served: a later owner has a higher `partEpoch` within one
   * incarnation. Pass both to external systems that have to reject writes of an earlier owner.
   */
  readonly fence: { readonly incarnation: string; readonly partEpoch: number };
  /** Read-only. */
  readonly payload: Uint8Array;
  /** Aborted when the caller's time limit has passed. */
  readonly signal: AbortSignal;
  /** Applies an operation to the state of this partition and replicates it; resolves with the answer of `apply`. */
  write(op: Uint8Array, options?: { readonly ack?: WriteAck }): Promise<Uint8Array>;
}

/** Answers a method on the node that owns the key. A `ParsecError` that it throws reaches the caller with its code. */
export type RingHandler = (request: RingRequest) => Uint8Array | Promise<Uint8Array>;

export interface OwnerRequestHandlerOptions {
  readonly table: () => RingTable | undefined;
  /** Whether the lease is valid at this moment. */
  readonly isValid: () => boolean;
  readonly selfId: string;
  readonly termOf: (partition: number) => OwnerTerm | undefined;
  readonly replicaOf: ((partition: number) => Replica) | undefined;
  readonly handlers: ReadonlyMap<string, RingHandler>;
  readonly defaultAck: WriteAck;
  /** Resolves when the table has reached that epoch, or after a short time limit. */
  readonly whenTable: (epoch: number) => Promise<void>;
}

/**
 * Serves requests for partitions that this node owns, and refuses others with the reason. The lease is checked
 * before each request and again before each answer, so that a process that was stopped in between gives no stale
 * answer.
 */
export class OwnerRequestHandler {
  readonly #options: OwnerRequestHandlerOptions;

  constructor(options: OwnerRequestHandlerOptions) {
    this.#options = options;
  }

  async serve(head: RequestHead, request: OwnerRequest): Promise<Answer> {
    const table = this.#options.table();
    const known = table?.parts[head.partition]?.epoch ?? 0;
    if (head.incarnation === table?.incarnation && head.partEpoch > known) {
      // The sender knows a newer table than this node.
      await this.#options.whenTable(head.epoch);
    }
    if (request.kind === "read" && request.staleOk) return this.#readStale(head, request.query);
    const term = this.#admit(head);
    if (typeof term === "string") return this.#refused(term);
    if (isParsecError(term)) return { outcome: "failed", error: term };
    const leave = term.enter();
    try {
      const body = await this.#perform(term, request);
      if (this.#mayAnswer(term)) return { outcome: "done", body };
      if (request.kind === "read") return this.#refused("not-ready");
      const message =
        "the owner lost its lease while it served the request; the outcome is unknown";
      return { outcome: "failed", error: new ParsecError("PEER_UNREACHABLE", message) };
    } catch (error) {
      return { outcome: "failed", error: handlerError(error) };
    } finally {
      leave();
    }
  }

  /** The term that serves the request; otherwise the reason of a refusal, or the error for the caller. */
  #admit(head: RequestHead): OwnerTerm | Refusal | ParsecError {
    const { table: tableOf, isValid, selfId, termOf } = this.#options;
    const table = tableOf();
    if (table === undefined || !isValid()) return "not-ready";
    if (head.incarnation !== table.incarnation) return "stale-epoch";
    const part = table.parts[head.partition];
    if (part?.owner !== selfId) return "not-owner";
    if (part.epoch !== head.partEpoch) return "stale-epoch";
    const term = termOf(head.partition);
    if (term?.stuckReason !== undefined) {
      const message = `partition ${head.partition} is not served: ${term.stuckReason}`;
      return new ParsecError("PEER_UNREACHABLE", message);
    }
    if (term?.epoch !== part.epoch || term.phase !== "serving") return "not-ready";
    return term;
  }

  #mayAnswer(term: OwnerTerm): boolean {
    return this.#options.isValid() && (term.phase === "serving" || term.phase === "sealed");
  }

  #refused(refusal: Refusal): Answer {
    return { outcome: "refused", refusal, epoch: this.#options.table()?.epoch ?? 0 };
  }

  #perform(term: OwnerTerm, request: OwnerRequest): Uint8Array | Promise<Uint8Array> {
    if (request.kind === "call") return this.#call(term, request);
    const { replica, log } = term;
    if (replica === undefined || log === undefined) throw withoutState();
    return request.kind === "write"
      ? log.append(request.op, request.ack)
      : replica.read(request.query);
  }

  async #call(
    term: OwnerTerm,
    request: Extract<OwnerRequest, { kind: "call" }>,
  ): Promise<Uint8Array> {
    const { handlers, defaultAck } = this.#options;
    const { method, key, payload, timeoutMs } = request;
    const handler = handlers.get(method);
    if (handler === undefined) {
      throw new ParsecError(
        "INVALID_ARGUMENT",
        `method ${JSON.stringify(method)} has no handler on the owner`,
      );
    }
    const abort = new AbortController();
    const timer = setTimeout(
      () => abort.abort(new Error("the caller's time limit has passed")),
      timeoutMs,
    );
    timer.unref();
    try {
      const answer: unknown = await handler({
        key,
        partition: term.partition,
        fence: { incarnation: term.incarnation, partEpoch: term.epoch },
        payload,
        signal: abort.signal,
        write: (op, options) => {
          if (term.log === undefined) return Promise.reject(withoutState());
          return term.log.append(Uint8Array.from(op), options?.ack ?? defaultAck);
        },
      });
      if (answer instanceof Uint8Array) return answer;
      throw new ParsecError("ORIGIN_FAILED", `the handler of ${method} must return a Uint8Array`);
    } finally {
      clearTimeout(timer);
    }
  }

  async #readStale(head: RequestHead, query: Uint8Array): Promise<Answer> {
    const { table: tableOf, selfId, replicaOf } = this.#options;
    const table = tableOf();
    const part = table?.parts[head.partition];
    if (replicaOf === undefined) return { outcome: "failed", error: withoutState() };
    const replica = replicaOf(head.partition);
    const mayAnswer = part?.owner === selfId || part?.backups.includes(selfId) === true;
    if (!mayAnswer || !replica.holds) return this.#refused("not-owner");
    try {
      return { outcome: "done", body: await replica.read(query) };
    } catch (error) {
      return { outcome: "failed", error: handlerError(error) };
    }
  }
}

function withoutState(): ParsecError {
  return new ParsecError("INVALID_ARGUMENT", "the ring has no state option, so it has no data");
}

function handlerError(cause: unknown): ParsecError {
  if (isParsecError(cause)) return cause;
  const message = cause instanceof Error ? cause.message : "the handler failed";
  return new ParsecError("ORIGIN_FAILED", message, { cause });
}
