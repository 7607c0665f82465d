import { ParsecError } from "../src/errors.ts";
import type { PeerHost } from "../src/peer.ts";
import type {
  FrameChannel,
  FrameExchange,
  OutgoingFrame,
} from "../src/transport/link/frame-in-flight.ts";
import { createFrameServer, type FrameServer } from "../src/transport/server/frame-server.ts";
import type { ServedFrame } from "../src/transport/server/served-frame.ts";
import { encodeCancellation } from "../src/transport/wire/invalidations.ts";
import { resolveFrameLimits } from "../src/transport/wire/limits.ts";

/** A transport within one process: delivers frames to a `FrameServer` and its answers back, both in later turns. */
export class LoopbackChannel implements FrameChannel {
  readonly server: FrameServer;
  readonly sent: OutgoingFrame[] = [];
  readonly forgotten: (readonly number[])[] = [];
  /** Number of pieces of each response, in the order of their ends. */
  readonly pieceCounts: number[] = [];
  cancelled = 0;
  /** While set, frames are lost without an error. */
  deaf = false;
  /** While set, exchanges fail with this error. */
  broken: ParsecError | undefined = undefined;

  constructor(host: PeerHost) {
    this.server = createFrameServer({ host, limits: resolveFrameLimits(), sender: 2 });
  }

  send(frame: OutgoingFrame): FrameExchange {
    this.sent.push(frame);
    let open = true;
    let served: ServedFrame | undefined;
    let pieces = 0;
    const later = (task: () => void): void => {
      setImmediate(() => {
        if (open) task();
      });
    };
    if (this.deaf) return { cancel: () => this.cancelled++ };
    later(() => {
      if (this.broken !== undefined) {
        frame.fail(this.broken);
        return;
      }
      served = this.server.lookups(frame.bytes, {
        sendAll: (bytes) => {
          this.pieceCounts.push(1);
          later(() => {
            frame.receive(bytes);
            frame.finish();
          });
        },
        send: (bytes) => {
          pieces++;
          later(() => frame.receive(bytes));
          return true;
        },
        finish: () => {
          this.pieceCounts.push(pieces);
          later(() => frame.finish());
        },
      });
    });
    return {
      cancel: () => {
        open = false;
        this.cancelled++;
        served?.disconnected();
      },
    };
  }

  cancelLookups(frameId: number, indexes: readonly number[]): void {
    this.forgotten.push(indexes);
    const bytes = encodeCancellation({ frameId, sender: 1, indexes });
    setImmediate(() => this.server.cancellation(bytes));
  }
}

export const connectionLost: ParsecError = new ParsecError("PEER_UNREACHABLE", "connection lost");
