import { randomInt } from "node:crypto";
import {
  encodeEntries,
  isParsecError,
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
import { GrpcConnections } from "./grpc-connections.ts";
import { unreachable } from "./grpc-errors.ts";
import { FrameStream } from "./grpc-frame-stream.ts";
import type { ResolvedGrpcOptions } from "./grpc-options.ts";
import { type BytesMethod, messageMethods } from "./grpc-wire.ts";

const noBytes: Buffer = Buffer.alloc(0);

/** A node of this package, asked over one stream. */
export class GrpcPeer implements Peer {
  readonly id: string;
  readonly #options: ResolvedGrpcOptions;
  readonly #connections: GrpcConnections;
  readonly #stream: FrameStream;
  readonly #link: PeerLink;

  constructor(
    id: string,
    options: ResolvedGrpcOptions,
    onChange: (change: PeerHealthChange) => void,
  ) {
    this.id = id;
    this.#options = options;
    const { clock, random, sender, limits, connections, health } = options;
    this.#connections = new GrpcConnections(id, options);
    this.#stream = new FrameStream({ peerId: id, sender, connections: this.#connections });
    this.#link = new PeerLink({
      peerId: id,
      channel: this.#stream,
      tell: ({ bytes, timeoutMs, signal }, read) =>
        this.#tell(bytes, { method: messageMethods.invalidate, timeoutMs, signal, read }),
      ping: (signal) => this.#ping(signal),
      clock,
      random,
      sender,
      limits,
      maxLookupsPerFrame: limits.maxLookupsSent,
      maxQueued: limits.maxQueued,
      maxUnheardFrames: connections.maxUnanswered,
      maxOpenFrames: connections.maxOpenFrames,
      health,
      onChange: (change) => {
        // A stream to a peer that hangs or vanished may never tell: begin anew.
        if (change.state === "out") this.#stream.retire();
        onChange(change);
      },
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
    return this.#tell(encodeEntries({ frameId, sender, part }, limits), {
      ...options,
      method: messageMethods.handOver,
      read: (answer) => readTakenOver(answer, frameId),
    });
  }

  /** Sends what the peer has to apply, and waits until it says so. */
  async #tell<Outcome>(
    message: Buffer,
    options: PeerCallOptions & {
      readonly timeoutMs: number;
      readonly method: BytesMethod;
      readonly read: (answer: Buffer) => Outcome;
    },
  ): Promise<Outcome> {
    const { method, read, signal, timeoutMs } = options;
    try {
      const answer = await this.#connections.unary({
        method,
        message,
        timeoutMs: this.#link.patience(timeoutMs),
        signal,
      });
      const outcome = read(answer);
      this.#link.answered();
      return outcome;
    } catch (error) {
      const readable = isParsecError(error) && error.code !== "MALFORMED_FRAME";
      const typed = readable ? error : unreachable(this.id, error);
      if (typed.code === "PEER_UNREACHABLE") this.#link.failed(typed);
      throw typed;
    }
  }

  async #ping(signal: AbortSignal): Promise<void> {
    try {
      await this.#connections.unary({
        method: messageMethods.ping,
        message: noBytes,
        timeoutMs: this.#options.health.pingTimeoutMs,
        signal,
      });
    } catch (error) {
      // The connection may be one that will never carry anything again.
      this.#connections.renew();
      throw error;
    }
  }

  /** Takes no more calls, lets those under way finish for a while, frees the connections. */
  async close(): Promise<void> {
    await this.#link.close(this.#options.closeTimeoutMs);
    this.#stream.close();
    this.#connections.close();
  }
}
