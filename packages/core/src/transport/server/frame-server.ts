import { ParsecError } from "../../errors.ts";
import type { PeerContact, PeerHost } from "../../peer.ts";
import { AnswerWriter } from "../wire/answers.ts";
import { readContactFrame } from "../wire/contacts.ts";
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
import type { ServedHost } from "./served-host.ts";

/** Initial estimate of the bytes of an answer, and the largest buffer allocated by estimate. */
const firstGuessBytes = 256;
const largestGuessBytes = 256 * 1024;

/** Options of {@link createFrameServer}. */
export interface FrameServerOptions {
  /** The node that answers, from `PeerPicker.attach` or `Workers.attach`. */
  readonly host: ServedHost;
  /** Limits of frames that are accepted. */
  readonly limits: FrameLimits;
  /** This process's own identifier in frames, which detects a peer address that leads back to this node. */
  readonly sender: number;
}

/**
 * Answers frames of native peers, independent of the transport. Every method decodes its whole frame before
 * it acts. It throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE`, or `PEER_UNREACHABLE` for a frame that this node
 * sent itself.
 */
export interface FrameServer<Reply = NodeBuffer | Promise<NodeBuffer>> {
  /**
   * Answers a frame of lookups: at once and in one piece when memory has all of them, else in pieces as answers
   * become ready. Call `disconnected` of the result when the requester is gone.
   */
  lookups(bytes: Uint8Array, sink: AnswerSink): ServedFrame;
  /** Applies a frame of invalidations and returns the answer frame: a promise, which never rejects, while other processes of this node apply them. */
  invalidations(bytes: Uint8Array): Reply;
  /** Accepts part of a leaving peer's hand-over and returns the answer frame, like {@link invalidations}. */
  entries(bytes: Uint8Array): Reply;
  /** Cancels lookups that no caller of the requester waits for any more. */
  cancellation(bytes: Uint8Array): void;
}

/** Whether answers are complete at once: only for a host without other processes. */
export type ReplyOf<Host extends ServedHost> = Host extends PeerHost
  ? NodeBuffer
  : NodeBuffer | Promise<NodeBuffer>;

/** Creates a {@link FrameServer} for the server side of a transport. */
export function createFrameServer<Host extends ServedHost>(
  options: FrameServerOptions & { readonly host: Host },
): FrameServer<ReplyOf<Host>> {
  // A `PeerHost` returns no promises, so its answers are complete.
  return new HostServer(options) as FrameServer as FrameServer<ReplyOf<Host>>;
}

class HostServer implements FrameServer, ServedFrameOwner {
  readonly host: ServedHost;
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

  invalidations(bytes: Uint8Array): Buffer | Promise<Buffer> {
    const frame = decodeInvalidations(bytes, this.#limits);
    this.#checkSender(frame.sender);
    const contact = readContactFrame(frame);
    if (contact !== undefined) return this.#answer(frame.frameId, this.#contact(contact));
    const outcomes = frame.invalidations.map((invalidation) =>
      outcomeOf(() => this.host.invalidate(invalidation)),
    );
    return this.#answer(frame.frameId, outcomes);
  }

  entries(bytes: Uint8Array): Buffer | Promise<Buffer> {
    const frame = decodeEntries(bytes, this.#limits);
    this.#checkSender(frame.sender);
    return this.#answer(frame.frameId, [outcomeOf(() => this.host.takeOver?.(frame.part))]);
  }

  #contact(contact: PeerContact): readonly Outcome[] {
    try {
      const answer = this.host.contact?.(contact);
      if (answer === undefined) throw new ParsecError("NO_SUCH_GROUP", "this node has no contacts");
      const { session, promise, owes } = answer;
      return [{ ticket: session }, { ticket: promise }, { ticket: owes ? 1 : 0 }];
    } catch (error) {
      return [{ error }];
    }
  }

  #answer(
    frameId: number,
    outcomes: readonly (Outcome | Promise<Outcome>)[],
  ): Buffer | Promise<Buffer> {
    const write = (settled: readonly Outcome[]): Buffer => {
      const { maxValueBytes } = this.#limits;
      const writer = new AnswerWriter({ maxValueBytes, initialBytes: 64 });
      writer.begin(frameId);
      for (const [index, outcome] of settled.entries()) {
        if ("error" in outcome) writer.failed(index, outcome.error);
        else writer.applied(index, outcome.ticket);
      }
      return writer.take();
    };
    const isSettled = (outcome: Outcome | Promise<Outcome>): outcome is Outcome =>
      !(outcome instanceof Promise);
    return outcomes.every(isSettled) ? write(outcomes) : Promise.all(outcomes).then(write);
  }

  cancellation(bytes: Uint8Array): void {
    const frame = decodeCancellation(bytes, this.#limits);
    this.#waiting.get(nameOf(frame))?.cancel(frame.indexes);
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
      "the frame comes from this node itself: it is listed among its peers under another id",
    );
  }
}

/** Applied, with the ticket for the next part of a hand-over, or failed. */
type Outcome = { readonly ticket: number } | { readonly error: unknown };

function outcomeOf(apply: () => unknown): Outcome | Promise<Outcome> {
  try {
    const result = apply();
    if (!(result instanceof Promise)) return applied(result);
    return result.then(applied, (error: unknown) => ({ error }));
  } catch (error) {
    return { error };
  }
}

function applied(ticket: unknown): Outcome {
  return { ticket: typeof ticket === "number" ? ticket : 0 };
}

function nameOf(frame: Pick<LookupFrame, "sender" | "frameId">): string {
  return `${frame.sender} ${frame.frameId}`;
}
