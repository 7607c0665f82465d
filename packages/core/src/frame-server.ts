import { ParsecError } from "./errors.ts";
import type { PeerHost } from "./peer.ts";
import { AnswerWriter } from "./peer-frame-answers.ts";
import { decodeCancellation, decodeInvalidations } from "./peer-frame-invalidations.ts";
import type { FrameLimits } from "./peer-frame-limits.ts";
import { decodeLookups } from "./peer-frame-lookups.ts";
import { type AnswerSink, ServedFrame } from "./served-frame.ts";

/** Memory for answers nobody has measured yet, and the most that is set aside on a guess. */
const firstGuessBytes = 256;
const largestGuessBytes = 256 * 1024;

export interface FrameServerOptions {
  readonly host: PeerHost;
  readonly limits: FrameLimits;
  /** This node's own name in frames: to be asked by it means that a peer's address leads back here. */
  readonly sender: number;
}

/**
 * Answers the frames of native peers, whatever they travelled on. Every method reads its whole frame
 * before it acts, and throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE` then, or `PEER_UNREACHABLE`
 * when this node asked itself.
 */
export class FrameServer {
  readonly #options: FrameServerOptions;
  readonly #served: Map<string, ServedFrame> = new Map();
  #bytesPerAnswer = firstGuessBytes;

  constructor(options: FrameServerOptions) {
    this.#options = options;
  }

  /**
   * Answers lookups: at once and in one piece when all of them can be answered from memory, else in
   * pieces as they become ready, what memory holds first. Tell the result when the asker left.
   */
  lookups(bytes: Uint8Array, sink: AnswerSink): ServedFrame {
    const { host, limits } = this.#options;
    const frame = decodeLookups(bytes, limits);
    this.#checkSender(frame.sender);
    const guess = (frame.lookups.length + 1) * this.#bytesPerAnswer;
    const writer = new AnswerWriter({
      maxValueBytes: limits.maxValueBytes,
      initialBytes: Math.min(guess, largestGuessBytes),
    });
    const name = servedName(frame.sender, frame.frameId);
    const served = new ServedFrame(frame, {
      host,
      writer,
      sink,
      onWaiting: () => this.#served.set(name, served),
      onDone: (bytesPerAnswer) => {
        if (this.#served.get(name) === served) this.#served.delete(name);
        this.#bytesPerAnswer = bytesPerAnswer;
      },
    });
    served.start();
    return served;
  }

  /** Applies invalidations and returns the frame that says so. */
  invalidations(bytes: Uint8Array): Buffer {
    const { host, limits } = this.#options;
    const frame = decodeInvalidations(bytes, limits);
    this.#checkSender(frame.sender);
    const writer = new AnswerWriter({ maxValueBytes: limits.maxValueBytes, initialBytes: 64 });
    writer.begin(frame.frameId);
    for (const [index, invalidation] of frame.invalidations.entries()) {
      try {
        host.invalidate(invalidation);
        writer.applied(index);
      } catch (error) {
        writer.failed(index, error);
      }
    }
    return writer.take(0);
  }

  /** Ends the wait for lookups whose askers left. */
  cancellation(bytes: Uint8Array): void {
    const { sender, frameId, indexes } = decodeCancellation(bytes, this.#options.limits);
    this.#served.get(servedName(sender, frameId))?.forget(indexes);
  }

  #checkSender(sender: number): void {
    if (sender !== this.#options.sender) return;
    throw new ParsecError(
      "PEER_UNREACHABLE",
      "this node asked itself: it is listed among its peers under another name",
    );
  }
}

function servedName(sender: number, frameId: number): string {
  return `${sender} ${frameId}`;
}
