import type { FrameChannel, FrameInFlight } from "./frame-in-flight.ts";

/** Lookups whose callers left while others of the same frame wait: the owner need not go on for them. */
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

  /** Tells the peer about those of its open frames; what belongs to others is of no interest any more. */
  send(open: Iterable<FrameInFlight>): void {
    if (this.#indexesByFrame.size === 0) return;
    const indexesByFrame = this.#indexesByFrame;
    this.#indexesByFrame = new Map();
    for (const frame of open) {
      const indexes = indexesByFrame.get(frame.frameId);
      if (indexes === undefined) continue;
      // Before the peer was heard it may not have the frame yet.
      if (frame.wasHeard) this.#channel.forget(frame.frameId, indexes);
      else this.#indexesByFrame.set(frame.frameId, indexes);
    }
  }
}
