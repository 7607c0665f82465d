import type { Clock } from "../../clock.ts";
import { isParsecError } from "../../errors.ts";
import type { PeerCallOptions, PeerHandOver, PeerInvalidation } from "../../peer.ts";
import type { PeerHealthChange, PeerHealthOptions } from "../health/peer-health.ts";
import { collectAnswer } from "../link/collected-answer.ts";
import { controlAnswerBytes } from "../link/invalidation-batcher.ts";
import { createPeerLink, type PeerLink } from "../link/peer-link.ts";
import type { PeerLimits } from "../picker/peer-options.ts";
import { readTakenOver } from "../wire/applied-outcome.ts";
import { encodeEntries } from "../wire/entries.ts";
import type { WorkerConnection } from "./worker-connection.ts";
import { noBytes, type WorkerMessage } from "./worker-messages.ts";

/** Another process behind this node's address. */
export interface WorkerPeer extends Omit<PeerLink, "contact"> {
  readonly isWorker: true;
  /** Passes on part of a hand-over to this node, under a ticket that all of its workers know. Resolves with whether the worker accepts more. */
  share(
    part: PeerHandOver,
    options: { readonly nextTicket: number; readonly timeoutMs: number },
  ): Promise<boolean>;
}

export interface WorkerPeerOptions {
  readonly id: string;
  /** The connection to use: another one after it was lost. */
  readonly connection: () => WorkerConnection;
  /** Resolves once the loss of the connection is explained: true when the process has ended. */
  readonly hasEnded: () => Promise<boolean>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly sender: number;
  readonly limits: PeerLimits;
  readonly health: PeerHealthOptions;
  readonly closeTimeoutMs: number;
  readonly onChange: (change: PeerHealthChange) => void;
}

const maxUnheardFrames = 4;
const maxOpenFrames = 256;

export function createWorkerPeer(options: WorkerPeerOptions): WorkerPeer {
  const { id, clock, connection, hasEnded, health, limits, sender } = options;
  let lastCall = 0;
  const call = async (
    message: Omit<WorkerMessage, "exchange">,
    wait: {
      readonly timeoutMs: number;
      readonly maxAnswerBytes: number;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<Buffer> => {
    const exchange = nextExchange();
    const answer = collectAnswer({ ...wait, peerId: id, clock });
    const used = connection();
    used.ask({ ...message, exchange }, answer);
    return await answer.whole.finally(() => used.cancel(exchange));
  };
  const nextExchange = (): number => {
    lastCall = (lastCall + 1) % 2 ** 32;
    return lastCall;
  };
  const link = createPeerLink({
    ...options,
    peerId: id,
    maxLookupsPerFrame: limits.maxLookupsSent,
    maxQueued: limits.maxQueued,
    maxUnheardFrames,
    maxOpenFrames,
    channel: {
      send(frame) {
        const exchange = nextExchange();
        const used = connection();
        used.ask({ kind: "request", exchange, body: frame.bytes }, frame);
        return { cancel: () => used.cancel(exchange) };
      },
      cancel: ({ bytes }) => connection().write({ kind: "request", exchange: 0, body: bytes }),
      control: (frame) => call({ kind: "request", body: frame.bytes }, frame),
      async ping(signal) {
        const timeoutMs = health.pingTimeoutMs;
        await call({ kind: "ping", body: noBytes }, { timeoutMs, maxAnswerBytes: 0, signal });
      },
      close: () => connection().close(),
    },
  });
  return {
    id,
    isWorker: true,
    lookup: (lookup, given) => link.lookup(lookup, given),
    handOver: (part, given) => link.handOver(part, given),
    probe: () => link.probe(),
    close: () => link.close(),
    /** A process that has ended has no old value left. */
    async invalidate(
      invalidation: PeerInvalidation,
      given: PeerCallOptions & { readonly timeoutMs: number },
    ) {
      try {
        await link.invalidate(invalidation, given);
      } catch (error) {
        const isLost = isParsecError(error) && error.code === "PEER_UNREACHABLE";
        if (!isLost || !(await hasEnded())) throw error;
      }
    },
    async share(part, { nextTicket, timeoutMs }) {
      // One exchange at a time needs this frame id, and its answer comes on the same exchange.
      const frameId = 1;
      const frame = encodeEntries({ frameId, sender, part }, limits);
      const body = Buffer.allocUnsafe(8 + frame.length);
      body.writeDoubleLE(nextTicket, 0);
      frame.copy(body, 8);
      const maxAnswerBytes = controlAnswerBytes(1);
      const answer = await call(
        { kind: "share", body },
        { timeoutMs, maxAnswerBytes, signal: undefined },
      );
      return readTakenOver(answer, frameId) !== 0;
    },
  };
}
