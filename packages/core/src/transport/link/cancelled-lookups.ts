import type { FrameChannel, FrameInFlight } from "./frame-in-flight.ts";

/** Aborted lookups of frames with other waiters, to be cancelled at the peer. */
export class CancelledLookups {
  readonly #channel: FrameChannel;
  #indexesByFrame: Map<number, number[]> = new Map();

  constructor(channel: FrameChannel) {
    this.#channel = channel;
  }

  get size(): number {
    return this.#indexesByFrame.size;
  }

  add(frame: FrameInFlight, index: number): void {
    const indexes = this.#indexesByFrame.get(frame.frameId);
    if (indexes === undefined) this.#indexesByFrame.set(frame.frameId, [index]);
    else indexes.push(index);
  }

  /** Sends the cancellations for open frames; drops those for frames that have ended. */
  send(open: Iterable<FrameInFlight>): void {
    if (this.#indexesByFrame.size === 0) return;
    const indexesByFrame = this.#indexesByFrame;
    this.#indexesByFrame = new Map();
    for (const frame of open) {
      const indexes = indexesByFrame.get(frame.frameId);
      if (indexes === undefined) continue;
      // Until the peer has answered, it may not have received the frame yet.
      if (frame.wasHeard) this.#channel.cancelLookups(frame.frameId, indexes);
      else this.#indexesByFrame.set(frame.frameId, indexes);
    }
  }
}
