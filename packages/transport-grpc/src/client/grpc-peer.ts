import {
  createPeerLink,
  type ManagedPeer,
  type PeerChannel,
  type PeerHealthChange,
} from "@parsec/core/transport";
import type { ResolvedGrpcOptions } from "../grpc-options.ts";
import { messageMethods } from "../grpc-wire.ts";
import { GrpcConnections } from "./grpc-connections.ts";
import { FrameStream } from "./grpc-frame-stream.ts";

const noBytes: Buffer = Buffer.alloc(0);

/** A Parsec node, reached over gRPC. */
export function createGrpcPeer(
  peerId: string,
  options: ResolvedGrpcOptions,
  onChange: (change: PeerHealthChange) => void,
): ManagedPeer {
  const { limits, connections, sender } = options;
  const toPeer = new GrpcConnections(peerId, options);
  const stream = new FrameStream({ peerId, sender, connections: toPeer });
  return createPeerLink({
    ...options,
    peerId,
    channel: createGrpcChannel(stream, { connections: toPeer, options }),
    maxLookupsPerFrame: limits.maxLookupsSent,
    maxQueued: limits.maxQueued,
    maxUnheardFrames: connections.maxUnanswered,
    maxOpenFrames: connections.maxOpenFrames,
    onChange(change) {
      // A stream to a peer that hangs or crashed may never report an error: open a new one.
      if (change.state === "down") stream.retire();
      onChange(change);
    },
  });
}

/** Sends lookups on the stream, and control frames and pings as unary calls. */
function createGrpcChannel(
  stream: FrameStream,
  parts: { readonly connections: GrpcConnections; readonly options: ResolvedGrpcOptions },
): PeerChannel {
  const { connections } = parts;
  const { pingTimeoutMs } = parts.options.health;
  return {
    send: (frame) => stream.send(frame),
    control: ({ kind, bytes, timeoutMs, signal }) =>
      connections.unary({
        method: kind === "entries" ? messageMethods.handOver : messageMethods.invalidate,
        message: bytes,
        timeoutMs,
        signal,
      }),
    cancel: (cancellation) => stream.sendCancellation(cancellation),
    async ping(signal) {
      await connections.unary({
        method: messageMethods.ping,
        message: noBytes,
        timeoutMs: pingTimeoutMs,
        signal,
        isPing: true,
      });
    },
    renew() {
      stream.retire();
      connections.renew();
    },
    close() {
      stream.close();
      connections.close();
    },
  };
}
