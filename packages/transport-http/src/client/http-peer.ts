import {
  createPeerLink,
  type ManagedPeer,
  type PeerChannel,
  type PeerHealthChange,
} from "@parsec/core/transport";
import { maxErrorBytes, refusedFrame } from "../http-errors.ts";
import type { ResolvedHttpOptions } from "../http-options.ts";
import { HttpConnections } from "./http-connections.ts";
import { FrameRequest } from "./http-frame-request.ts";

/** A Parsec node, reached by frames over HTTP. */
export function createHttpPeer(
  peerId: string,
  options: ResolvedHttpOptions,
  onChange: (change: PeerHealthChange) => void,
): ManagedPeer {
  const { connections, limits } = options;
  return createPeerLink({
    ...options,
    peerId,
    channel: createHttpChannel(peerId, options),
    maxLookupsPerFrame: limits.maxLookupsSent,
    maxQueued: limits.maxQueued,
    maxUnheardFrames: connections.maxUnanswered,
    maxOpenFrames: connections.maxPerPeer,
    onChange,
  });
}

/** Sends frames as POST requests to the base path, and pings as GET requests. */
function createHttpChannel(peerId: string, options: ResolvedHttpOptions): PeerChannel {
  const { basePath: target, clock, closeTimeoutMs, health } = options;
  const timeoutMs = health.pingTimeoutMs;
  const connections = new HttpConnections(peerId, options);
  return {
    send: (frame) => new FrameRequest(frame, { peerId, target, connections }),
    async control({ bytes, timeoutMs, maxAnswerBytes, signal }) {
      const response = await connections.collect({
        method: "POST",
        target,
        body: bytes,
        maxBodyBytes: Math.max(maxAnswerBytes, maxErrorBytes),
        timeoutMs,
        signal,
      });
      if (response.status !== 200) throw refusedFrame(peerId, response);
      return response.body;
    },
    cancel({ bytes: body }) {
      connections
        .collect({ method: "POST", target, body, maxBodyBytes: maxErrorBytes, timeoutMs })
        .catch(() => {
          // The owner then continues the load until its own timeout.
        });
    },
    async ping(signal) {
      const request = { method: "GET", target, maxBodyBytes: maxErrorBytes, timeoutMs } as const;
      const response = await connections.ping({ ...request, signal });
      if (response.status !== 204) throw refusedFrame(peerId, response);
    },
    renew: () => connections.renew(),
    async close() {
      const cancelTimer = clock.schedule(closeTimeoutMs, () => void connections.destroy());
      await connections.close();
      cancelTimer();
    },
  };
}
