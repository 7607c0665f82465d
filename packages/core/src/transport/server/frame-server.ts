import { ParsecError } from "../../errors.ts";
import type { PeerHost } from "../../peer.ts";
import { AnswerWriter } from "../wire/answers.ts";
import { decodeEntries } from "../wire/entries.ts";
import { decodeCancellation, decodeInvalidations } from "../wire/invalidations.ts";
import type { FrameLimits } from "../wire/limits.ts";
import { decodeLookups, type LookupFrame } from "../wire/lookups.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";
import {
  type AnswerSink,
  FrameInService,
  type ServedFrame,
  type ServedFrameOwner,
} from "./served-frame.ts";

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
 * Answers the frames of native peers, whatever carried them. Every method reads its whole frame
 * before it acts, and throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE` then, or `PEER_UNREACHABLE`
 * when this node asked itself.
 */
export interface FrameServer {
  /**
   * Answers lookups: at once and in one piece when all of them can be answered from memory, else in
   * pieces as they become ready, what memory holds first. Call `disconnected` of the result when the asker left.
   */
  lookups(bytes: Uint8Array, sink: AnswerSink): ServedFrame;
  /** Applies invalidations and returns the frame that says so. */
  invalidations(bytes: Uint8Array): NodeBuffer;
  /** Takes over part of what a leaving peer holds and returns the frame that says so. */
  entries(bytes: Uint8Array): NodeBuffer;
  /** Ends the wait for lookups whose askers left. */
  cancellation(bytes: Uint8Array): void;
}

/** The answering side of a node, for a transport's server. */
export function createFrameServer(options: FrameServerOptions): FrameServer {
  return new HostServer(options);
}

class HostServer implements FrameServer, ServedFrameOwner {
  readonly host: PeerHost;
  readonly #limits: FrameLimits;
  readonly #sender: number;
  /** Frames with lookups that wait for an origin, by sender and frame id. */
  readonly #waiting: Map<string, FrameInService> = new Map();
  #bytesPerAnswer = firstGuessBytes;

  constructor(options: FrameServerOptions) {
    this.host = options.host;
    this.#limits = options.limits;
    this.#sender = options.sender;
  }

  lookups(bytes: Uint8Array, sink: AnswerSink): ServedFrame {
    const frame = decodeLookups(bytes, this.#limits);
    this.#checkSender(frame.sender);
    const guess = (frame.lookups.length + 1) * this.#bytesPerAnswer;
    const writer = new AnswerWriter({
      maxValueBytes: this.#limits.maxValueBytes,
      initialBytes: Math.min(guess, largestGuessBytes),
    });
    const served = new FrameInService(frame, { owner: this, writer, sink });
    served.start();
    return served;
  }

  invalidations(bytes: Uint8Array): Buffer {
    const frame = decodeInvalidations(bytes, this.#limits);
    this.#checkSender(frame.sender);
    const { maxValueBytes } = this.#limits;
    const writer = new AnswerWriter({ maxValueBytes, initialBytes: 64 });
    writer.begin(frame.frameId);
    for (const [index, invalidation] of frame.invalidations.entries()) {
      try {
        this.host.invalidate(invalidation);
        writer.applied(index);
      } catch (error) {
        writer.failed(index, error);
      }
    }
    return writer.take();
  }

  entries(bytes: Uint8Array): Buffer {
    const frame = decodeEntries(bytes, this.#limits);
    this.#checkSender(frame.sender);
    const { maxValueBytes } = this.#limits;
    const writer = new AnswerWriter({ maxValueBytes, initialBytes: 64 });
    writer.begin(frame.frameId);
    try {
      writer.applied(0, this.host.takeOver?.(frame.part) ?? 0);
    } catch (error) {
      writer.failed(0, error);
    }
    return writer.take();
  }

  cancellation(bytes: Uint8Array): void {
    const frame = decodeCancellation(bytes, this.#limits);
    this.#waiting.get(nameOf(frame))?.forget(frame.indexes);
  }

  waits(served: FrameInService): void {
    this.#waiting.set(nameOf(served.frame), served);
  }

  done(served: FrameInService, bytesPerAnswer: number): void {
    this.#bytesPerAnswer = bytesPerAnswer;
    if (served.waited) this.#waiting.delete(nameOf(served.frame));
  }

  #checkSender(sender: number): void {
    if (sender !== this.#sender) return;
    throw new ParsecError(
      "PEER_UNREACHABLE",
      "this node asked itself: it is listed among its peers under another name",
    );
  }
}

function nameOf(frame: Pick<LookupFrame, "sender" | "frameId">): string {
  return `${frame.sender} ${frame.frameId}`;
}
