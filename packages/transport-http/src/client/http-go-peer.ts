import {
  isParsecError,
  ParsecError,
  type PeerAnswer,
  type PeerCallOptions,
  type PeerInvalidation,
  type PeerLookup,
} from "@parsec/core";
import { abortedError, createSemaphore, type Semaphore } from "@parsec/core/authoring";
import {
  createLivenessCheck,
  createPeerHealth,
  decodeGetResponse,
  keyToBytes,
  type LivenessCheck,
  type ManagedPeer,
  type PeerHealth,
  type PeerHealthChange,
} from "@parsec/core/transport";
import { type FailedResponse, failedGet, maxErrorBytes, unreachable } from "../http-errors.ts";
import type { ResolvedHttpOptions } from "../http-options.ts";
import { escapeSegment, ttlHeader } from "../http-wire.ts";
import { HttpConnections } from "./http-connections.ts";
import { remainingMs } from "./remaining-time.ts";

const nothingInMemory: PeerAnswer = {
  value: undefined,
  ttlMs: 0,
  fence: 0,
  ratePerMinute: 0,
  missing: true,
};

/** Upper bound for the tags, length, rate and expiry that a GetResponse adds to its value. */
const messageOverheadBytes = 64;

/** A peer that speaks Go groupcache's protocol: one GET per key, without input or fence. */
export function createHttpGoPeer(
  id: string,
  options: ResolvedHttpOptions,
  onChange: (change: PeerHealthChange) => void,
): ManagedPeer {
  return new GetPeer(id, options, onChange);
}

class GetPeer implements ManagedPeer {
  readonly id: string;
  readonly #options: ResolvedHttpOptions;
  readonly #connections: HttpConnections;
  readonly #health: PeerHealth;
  readonly #liveness: LivenessCheck;
  readonly #requests: Semaphore;
  /** One controller per pending lookup, to end it early. */
  readonly #pending: Set<AbortController> = new Set();
  #onEmpty: (() => void)[] = [];
  #closed = false;

  constructor(
    id: string,
    options: ResolvedHttpOptions,
    onChange: (change: PeerHealthChange) => void,
  ) {
    this.id = id;
    this.#options = options;
    this.#connections = new HttpConnections(id, options);
    this.#requests = createSemaphore(options.connections.maxPerPeer);
    const { clock, random, health } = options;
    const ping = (signal: AbortSignal): Promise<void> => this.#ping(signal);
    this.#health = createPeerHealth(id, { ...health, clock, random, ping, onChange });
    this.#liveness = createLivenessCheck({
      ...health,
      clock,
      ping,
      awaitsAnswer: () => this.#pending.size > 0,
      onDead: (error) => {
        this.#health.markDown(error);
        this.#abortPending(unreachable(id, error));
      },
    });
  }

  async lookup(lookup: PeerLookup, options?: PeerCallOptions): Promise<PeerAnswer> {
    // Go's protocol has no memory-only lookup, and a normal one might load.
    if (lookup.memoryOnly) return nothingInMemory;
    const target = this.#targetOf(lookup);
    const signal = options?.signal;
    const ending = new AbortController();
    const leave = (): void => ending.abort(abortedError(signal));
    if (signal?.aborted) throw abortedError(signal);
    signal?.addEventListener("abort", leave, { once: true });
    const cancelTimer = this.#options.clock.schedule(lookup.timeoutMs, () => {
      const message = `${this.id} did not answer within ${Math.round(lookup.timeoutMs)} ms`;
      ending.abort(new ParsecError("TIMEOUT", message));
    });
    this.#pending.add(ending);
    this.#liveness.sent();
    let isAnswer = false;
    try {
      const response = await this.#get(lookup, { target, signal: ending.signal });
      // Any other status says something about this key, such as its length or its getter, not about the peer.
      isAnswer = response.status !== 200;
      const answer = isAnswer ? this.#refusal(response) : this.#read(response);
      this.#succeeded();
      return answer;
    } catch (error) {
      const typed = this.#typed(ending.signal.aborted ? ending.signal.reason : error);
      if (isAnswer) this.#succeeded();
      else if (typed.code === "PEER_UNREACHABLE") this.#health.failed(typed);
      throw typed;
    } finally {
      cancelTimer();
      signal?.removeEventListener("abort", leave);
      this.#pending.delete(ending);
      if (this.#pending.size === 0) for (const resolve of this.#onEmpty) resolve();
    }
  }

  /** The request target. Throws when this peer is closed or down, has too many lookups pending, or the key is too large. */
  #targetOf(lookup: PeerLookup): string {
    if (this.#closed) throw this.#closedError();
    if (this.#health.down !== undefined) throw this.#health.down;
    const { limits, basePath } = this.#options;
    if (this.#pending.size >= limits.maxQueued) {
      throw new ParsecError(
        "OVERLOADED",
        `${this.id} has ${limits.maxQueued} pending lookups (limits.maxQueued)`,
      );
    }
    const key = keyToBytes(lookup.key);
    if (key.length > limits.maxKeyBytes) {
      const message = `key must have at most ${limits.maxKeyBytes} bytes (limits.maxKeyBytes), got ${key.length}`;
      throw new ParsecError("KEY_TOO_LARGE", message);
    }
    return `${basePath}${escapeSegment(keyToBytes(lookup.group))}/${escapeSegment(key)}`;
  }

  async #get(
    { timeoutMs, trace }: PeerLookup,
    { target, signal }: { readonly target: string; readonly signal: AbortSignal },
  ): Promise<FailedResponse> {
    await this.#requests.acquire(signal);
    try {
      const response = await this.#connections.collectLookup({
        method: "GET",
        target,
        trace,
        maxBodyBytes: this.#options.limits.maxValueBytes + messageOverheadBytes,
        timeoutMs,
        signal,
      });
      this.#liveness.heard();
      return response;
    } finally {
      this.#requests.release();
    }
  }

  #succeeded(): void {
    this.#health.succeeded();
    if (this.#pending.size === 1) this.#liveness.idle();
  }

  #refusal(response: FailedResponse): PeerAnswer {
    const failure = failedGet(this.id, response);
    if (failure !== undefined) throw failure;
    return { value: undefined, ttlMs: 0, fence: 0, ratePerMinute: 0 };
  }

  #read({ body, headers }: FailedResponse): PeerAnswer {
    const { value, minuteQps, expiresAtMs } = decodeGetResponse(body, this.#options.limits);
    const ttlMs = remainingMs({
      ttlMs: headers[ttlHeader],
      date: headers.date,
      expiresAtMs,
      nowMs: Date.now(),
    });
    return { value, ttlMs, fence: 0, ratePerMinute: minuteQps };
  }

  #typed(error: unknown): ParsecError {
    if (isParsecError(error) && error.code === "FRAME_TOO_LARGE") {
      return new ParsecError("VALUE_TOO_LARGE", `${this.id}: ${error.message}`, { cause: error });
    }
    if (isParsecError(error) && error.code !== "MALFORMED_FRAME") return error;
    return unreachable(this.id, error);
  }

  invalidate(_invalidation: PeerInvalidation, options?: PeerCallOptions): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closedError());
    if (options?.signal?.aborted) return Promise.reject(abortedError(options.signal));
    return Promise.reject(
      new ParsecError(
        "PEER_UNREACHABLE",
        `${this.id} speaks Go's groupcache protocol, which has no invalidation`,
      ),
    );
  }

  /** Accepts any response: Go's groupcache has nothing at the base path and answers with an error. */
  async #ping(signal: AbortSignal): Promise<void> {
    await this.#connections.collect({
      method: "GET",
      target: this.#options.basePath,
      maxBodyBytes: maxErrorBytes,
      timeoutMs: this.#options.health.pingTimeoutMs,
      signal,
    });
  }

  #closedError(): ParsecError {
    return new ParsecError("CLOSED", `the connection to ${this.id} was closed`);
  }

  #abortPending(error: ParsecError): void {
    for (const ending of [...this.#pending]) ending.abort(error);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const { clock, closeTimeoutMs } = this.#options;
    const cancelTimer = clock.schedule(closeTimeoutMs, () =>
      this.#abortPending(this.#closedError()),
    );
    if (this.#pending.size > 0) {
      await new Promise<void>((resolve) => this.#onEmpty.push(resolve));
    }
    cancelTimer();
    this.#health.close();
    this.#liveness.close();
    await this.#connections.destroy();
  }
}
