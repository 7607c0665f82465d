import { ParsecError } from "@parsec/core";
import { knownOptions } from "@parsec/core/authoring";
import { keyFromBytes, keyToBytes } from "@parsec/core/transport";
import { ConditionWaits, closedError } from "./condition-waits.ts";
import type { Coordinator } from "./coordinator/coordinator.ts";
import { describeRing } from "./describe-ring.ts";
import { type HandOverReport, hasTakers, mayEnd, reportHandOver } from "./hand-over-report.ts";
import type { Link } from "./link/link.ts";
import { createNatsBackend } from "./nats/nats-backend.ts";
import type { Ring, RingCallOptions, RingLeaveOptions, RingState } from "./ring.ts";
import type { RingEvent, RingListener } from "./ring-events.ts";
import { type RingOptions, type RingSettings, resolveRingOptions } from "./ring-options.ts";
import type { RingHandler } from "./routing/owner-request-handler.ts";
import type { OwnerRequest } from "./routing/request-body.ts";
import { Router } from "./routing/router.ts";
import { RingNode } from "./runtime/ring-node.ts";
import { candidatesFor } from "./table/candidates.ts";
import { partitionOf } from "./table/partition-hash.ts";

/** How long a node that has handed all over goes on answering. */
const lastAnswersMs = 100;

/**
 * Creates a node of a ring; `start` makes it join. Nodes find each other through NATS (`connection` or
 * `servers`), or within one process (`createMemoryHub`). Throws `INVALID_ARGUMENT` naming the invalid option.
 */
export function createRing(options: RingOptions): Ring {
  const settings = resolveRingOptions(options);
  const { coordinator, link } = backendOf(settings, options);
  return new RingHandle(settings, { coordinator, link });
}

function backendOf(settings: RingSettings, options: RingOptions): RingBackend {
  const { coordinator, link } = options;
  if (coordinator === undefined && link === undefined) return createNatsBackend(settings, options);
  if (coordinator !== undefined && link !== undefined) return { coordinator, link };
  throw new ParsecError("INVALID_ARGUMENT", "set both coordinator and link, or neither");
}

interface RingBackend {
  readonly coordinator: Coordinator;
  readonly link: Link;
}

class RingHandle implements Ring {
  readonly nodeId: string;
  readonly partitions: number;
  readonly #settings: RingSettings;
  readonly #coordinator: Coordinator;
  readonly #link: Link;
  readonly #node: RingNode;
  readonly #router: Router;
  readonly #handlers: Map<string, RingHandler> = new Map();
  readonly #listeners: Set<RingListener> = new Set();
  readonly #waits: ConditionWaits = new ConditionWaits(() => this.#status === "closed");
  #status: RingState["status"] | "new" = "new";
  #lastHookFailure: Extract<RingEvent, { type: "hook-failed" }> | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;

  constructor(settings: RingSettings, backend: RingBackend) {
    this.#settings = settings;
    this.#coordinator = backend.coordinator;
    this.#link = backend.link;
    this.nodeId = settings.node;
    this.partitions = settings.partitions;
    this.#node = new RingNode({
      settings,
      ...backend,
      handlers: this.#handlers,
      emit: (event) => this.#emit(event),
      onProgress: (error) => this.#waits.wake(error),
    });
    this.#router = new Router({
      selfId: settings.node,
      clock: settings.clock,
      random: settings.random,
      table: () => this.#node.table.table,
      whenTable: (epoch) => this.#node.watch.reach(epoch),
      onNextTable: (task) => this.#node.watch.onNext(task),
      serveHere: (head, request) => this.#node.ownerRequests.serve(head, request),
      send: (address, request, { timeoutMs, signal }) =>
        this.#link.request(address, request, { timeoutMs, signal }),
      cutOff: () => this.#node.lease.lostReason,
      maxPending: settings.maxPending,
    });
  }

  async start(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#status === "closed" || this.#status === "leaving") throw closedError();
    if (this.#status === "new") {
      this.#status = "starting";
      this.#node.start();
    }
    await this.#waits.until(() => this.#node.isMember, {
      signal: options.signal,
      // Errors of the options or the store do not go away by waiting.
      fatal: ({ code }) =>
        code === "INVALID_ARGUMENT" || code === "MALFORMED_FRAME" || code === "UNAUTHENTICATED",
    });
    if (this.#status === "starting") this.#status = "active";
  }

  async handOver(options: RingLeaveOptions = {}): Promise<HandOverReport> {
    knownOptions("handOver", options, { signal: 1, waitForOthers: 1 });
    const isMember = this.#status === "starting" && this.#node.isMember;
    if (this.#status === "active" || isMember) {
      this.#status = "leaving";
      await this.#node.lease.announce("leaving").catch(() => {});
    }
    if (this.#status !== "leaving") return this.#report;
    // The timers of a ring do not keep a process alive, but a caller waits for this.
    const awake = setInterval(() => {}, 60_000);
    try {
      await this.#untilHandedOver(options);
    } finally {
      clearInterval(awake);
    }
    return this.#report;
  }

  async #untilHandedOver(options: RingLeaveOptions): Promise<void> {
    const { clock, leaveTimeoutMs } = this.#settings;
    const timeout = new AbortController();
    const cancel = clock.schedule(leaveTimeoutMs, () => timeout.abort());
    const signal = AbortSignal.any([timeout.signal, ...(options.signal ? [options.signal] : [])]);
    const { waitForOthers = true } = options;
    await this.#waits
      .until(() => this.#mayEnd(waitForOthers), { signal, fatal: () => false })
      .catch(() => {});
    cancel();
    if (!signal.aborted && hasTakers(this.#node.table.table, this.nodeId)) {
      // Nodes with an older table still send requests here, and learn the new owner from the answers.
      await new Promise<void>((resolve) => void clock.schedule(lastAnswersMs, resolve));
    }
  }

  async leave(options: RingLeaveOptions = {}): Promise<HandOverReport> {
    await this.handOver(options);
    await this.close();
    return this.#report;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  partitionFor(key: string): number {
    return partitionOf(checkKey(key), this.#settings.partitions);
  }

  nodeFor(key: string): string | undefined {
    return this.#node.table.table?.parts[this.partitionFor(key)]?.owner;
  }

  nodesFor(key: string): readonly string[] {
    const table = this.#node.table.table;
    return table === undefined ? [] : candidatesFor(table, this.partitionFor(key));
  }

  ownsKey(key: string): boolean {
    const term = this.#node.terms.termOf(this.partitionFor(key));
    return term?.phase === "serving" && this.#node.lease.isValid;
  }

  onOwn(hook: Parameters<Ring["onOwn"]>[0]): () => void {
    return this.#node.terms.hooks.addOwn(hook);
  }

  onRelease(hook: Parameters<Ring["onRelease"]>[0]): () => void {
    return this.#node.terms.hooks.addRelease(hook);
  }

  handle(method: string, handler: RingHandler): void {
    checkMethod(method);
    if (this.#handlers.has(method)) {
      throw new ParsecError(
        "DUPLICATE_NAME",
        `method ${JSON.stringify(method)} has a handler already`,
      );
    }
    this.#handlers.set(method, handler);
  }

  call(
    key: string,
    method: string,
    payload: Uint8Array,
    options: Parameters<Ring["call"]>[3] = {},
  ): Promise<Uint8Array> {
    const { maxKeyBytes } = this.#settings;
    if (Buffer.byteLength(checkKey(key)) > maxKeyBytes) {
      throw new ParsecError("KEY_TOO_LARGE", `key must be at most ${maxKeyBytes} bytes`);
    }
    checkMethod(method);
    knownOptions("call", options, { signal: 1, timeoutMs: 1, idempotent: 1 });
    const timeoutMs = options.timeoutMs ?? this.#settings.requestTimeoutMs;
    const { idempotent = false } = options;
    return this.#ask(key, { kind: "call", key, method, payload, timeoutMs, idempotent }, options);
  }

  write(
    key: string,
    op: Uint8Array,
    options: Parameters<Ring["write"]>[2] = {},
  ): Promise<Uint8Array> {
    knownOptions("write", options, { signal: 1, timeoutMs: 1, ack: 1 });
    const { ack = this.#settings.ack } = options;
    return this.#ask(key, { kind: "write", op: Uint8Array.from(op), ack }, options);
  }

  read(
    key: string,
    query: Uint8Array,
    options: Parameters<Ring["read"]>[2] = {},
  ): Promise<Uint8Array> {
    knownOptions("read", options, { signal: 1, timeoutMs: 1, staleOk: 1 });
    const { staleOk = false } = options;
    return this.#ask(key, { kind: "read", query, staleOk }, options);
  }

  state(): RingState {
    return describeRing(this.#node, {
      settings: this.#settings,
      status: this.#status === "new" ? "starting" : this.#status,
      pendingRequests: this.#router.pending,
      lastHookFailure: this.#lastHookFailure,
    });
  }

  subscribe(listener: RingListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async #ask(key: string, request: OwnerRequest, options: RingCallOptions): Promise<Uint8Array> {
    if (this.#status === "closed") throw closedError();
    const { maxPayloadBytes, requestTimeoutMs } = this.#settings;
    const bytes = bytesOf(request);
    if (!(bytes instanceof Uint8Array)) {
      throw new ParsecError("INVALID_ARGUMENT", "payload must be a Uint8Array");
    }
    if (bytes.length > maxPayloadBytes) {
      const message = `payload must be at most ${maxPayloadBytes} bytes, got ${bytes.length}`;
      throw new ParsecError("VALUE_TOO_LARGE", message);
    }
    const { timeoutMs = requestTimeoutMs, signal } = options;
    return this.#router.ask(this.partitionFor(key), request, { timeoutMs, signal });
  }

  get #report(): HandOverReport {
    const { terms, table } = this.#node;
    return reportHandOver(table.table, {
      selfId: this.nodeId,
      hasData: (partition) => terms.hasData(partition),
      withData: () => terms.withData(),
    });
  }

  #mayEnd(waitsForTakers: boolean): boolean {
    const isDurable = this.#settings.durable || this.#settings.state === undefined;
    return mayEnd(this.#report, {
      hasTakers: hasTakers(this.#node.table.table, this.nodeId),
      isDurable,
      waitsForTakers,
    });
  }

  /** True when the table assigns no partition to this node. */
  get #isUnnamed(): boolean {
    const { node } = this.#settings;
    return (this.#node.table.table?.parts ?? []).every(({ owner, backups, next }) => {
      return owner !== node && next !== node && !backups.includes(node);
    });
  }

  async #close(): Promise<void> {
    const wasIn = this.#status !== "new" && this.#status !== "closed";
    this.#status = "closed";
    this.#waits.wake();
    if (wasIn) {
      const isDrained = this.#isUnnamed;
      this.#node.stop("the ring was closed");
      // The others need not wait until the lease expires, because nothing is served here any more. The record
      // stays for them to read, unless they have nothing to take over.
      await this.#node.lease.announce("gone").catch(() => {});
      if (isDrained) await this.#node.lease.release();
      else this.#node.lease.stop();
      await this.#node.terms.hooks.whenIdle();
    }
    await this.#coordinator.close();
    await this.#link.close();
  }

  #emit(event: RingEvent): void {
    if (event.type === "hook-failed") this.#lastHookFailure = event;
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch {
        // An exception of a listener does not stop the ring.
      }
    }
  }
}

function bytesOf(request: OwnerRequest): unknown {
  if (request.kind === "call") return request.payload;
  return request.kind === "write" ? request.op : request.query;
}

const loneSurrogate = /\p{Surrogate}/u;

function checkKey(key: unknown): string {
  if (typeof key !== "string") throw new ParsecError("INVALID_KEY", "key must be a string");
  // As bytes it would be another key.
  if (!loneSurrogate.test(key) || keyFromBytes(keyToBytes(key)) === key) return key;
  throw new ParsecError("INVALID_KEY", "key must not have lone surrogates, such as half an emoji");
}

function checkMethod(method: unknown): void {
  if (typeof method === "string" && method !== "" && Buffer.byteLength(method) <= 255) return;
  throw new ParsecError("INVALID_ARGUMENT", "method must be a string of 1 to 255 bytes");
}
