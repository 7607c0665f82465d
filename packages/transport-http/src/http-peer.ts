import { randomInt } from "node:crypto";
import {
  encodeCancellation,
  encodeEntries,
  type FrameChannel,
  type FrameExchange,
  type FrameInFlight,
  isParsecError,
  ParsecError,
  type Peer,
  type PeerAnswer,
  type PeerCallOptions,
  type PeerHandOver,
  type PeerHealthChange,
  type PeerInvalidation,
  PeerLink,
  type PeerLookup,
  readTakenOver,
} from "@parsec/core";
import { HttpConnections } from "./http-connections.ts";
import { maxErrorBytes, refusedFrame, unreachable } from "./http-errors.ts";
import { FrameRequest } from "./http-frame-request.ts";
import type { ResolvedHttpOptions } from "./http-options.ts";

/** A peer that can be done without. */
export interface ClosablePeer extends Peer {
  /** Takes no more calls, lets those under way finish for a while, frees the connections. */
  close(): Promise<void>;
}

/** A node of this package, asked by frames. */
export class HttpPeer implements ClosablePeer, FrameChannel {
  readonly id: string;
  readonly #options: ResolvedHttpOptions;
  readonly #connections: HttpConnections;
  readonly #link: PeerLink;
  #closed = false;

  constructor(
    id: string,
    options: ResolvedHttpOptions,
    onChange: (change: PeerHealthChange) => void,
  ) {
    this.id = id;
    this.#options = options;
    this.#connections = new HttpConnections(id, options);
    const { clock, random, sender, limits, connections, health } = options;
    this.#link = new PeerLink({
      peerId: id,
      channel: this,
      tell: ({ bytes, ...frame }, read) => this.#tell(bytes, { ...frame, read }),
      ping: (signal) => this.#ping(signal),
      clock,
      random,
      sender,
      limits,
      maxLookupsPerFrame: limits.maxLookupsSent,
      maxQueued: limits.maxQueued,
      maxUnheardFrames: connections.maxUnanswered,
      maxOpenFrames: connections.maxPerPeer,
      health,
      onChange,
    });
  }

  lookup(lookup: PeerLookup, options?: PeerCallOptions): Promise<PeerAnswer> {
    return this.#link.lookup(lookup, options);
  }

  probe(): void {
    this.#link.probe();
  }

  invalidate(
    invalidation: PeerInvalidation,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<void> {
    return this.#link.invalidate(invalidation, options);
  }

  handOver(
    part: PeerHandOver,
    options: PeerCallOptions & { readonly timeoutMs: number },
  ): Promise<number> {
    const { limits, sender } = this.#options;
    const frameId = randomInt(1, 2 ** 32);
    const body = encodeEntries({ frameId, sender, part }, limits);
    return this.#tell(body, {
      ...options,
      maxAnswerBytes: maxErrorBytes,
      read: (answer) => readTakenOver(answer, frameId),
    });
  }

  /** Sends a frame that the peer has to apply, and waits until it says so. */
  async #tell<Outcome>(
    body: Buffer,
    options: PeerCallOptions & {
      readonly timeoutMs: number;
      readonly maxAnswerBytes: number;
      readonly read: (answer: Buffer) => Outcome;
    },
  ): Promise<Outcome> {
    if (this.#closed) {
      throw new ParsecError("CLOSED", `the connection to ${this.id} was closed`);
    }
    const { basePath } = this.#options;
    try {
      const response = await this.#connections.collect({
        method: "POST",
        target: basePath,
        body,
        maxBodyBytes: Math.max(options.maxAnswerBytes, maxErrorBytes),
        timeoutMs: this.#link.patience(options.timeoutMs),
        signal: options.signal,
      });
      if (response.status !== 200) throw refusedFrame(this.id, response);
      const outcome = options.read(response.body);
      this.#link.answered();
      return outcome;
    } catch (error) {
      const unreadable =
        isParsecError(error) && ["MALFORMED_FRAME", "FRAME_TOO_LARGE"].includes(error.code);
      const typed = isParsecError(error) && !unreadable ? error : unreachable(this.id, error);
      if (typed.code === "PEER_UNREACHABLE") this.#link.failed(typed);
      throw typed;
    }
  }

  send(frame: FrameInFlight): FrameExchange {
    return new FrameRequest(frame, {
      peerId: this.id,
      target: this.#options.basePath,
      connections: this.#connections,
    });
  }

  forget(frameId: number, indexes: readonly number[]): void {
    const { sender, basePath, health } = this.#options;
    this.#connections
      .collect({
        method: "POST",
        target: basePath,
        body: encodeCancellation({ frameId, sender, indexes }),
        maxBodyBytes: maxErrorBytes,
        timeoutMs: health.pingTimeoutMs,
      })
      .catch(() => {
        // Then the owner loads in vain; its own timeout ends that.
      });
  }

  async #ping(signal: AbortSignal): Promise<void> {
    const { basePath, health } = this.#options;
    const response = await this.#connections.collect({
      method: "GET",
      target: basePath,
      maxBodyBytes: maxErrorBytes,
      timeoutMs: health.pingTimeoutMs,
      signal,
    });
    if (response.status !== 204) throw refusedFrame(this.id, response);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const { clock, closeTimeoutMs } = this.#options;
    await this.#link.close(closeTimeoutMs);
    const cancelTimer = clock.schedule(closeTimeoutMs, () => void this.#connections.destroy());
    await this.#connections.close();
    cancelTimer();
  }
}
