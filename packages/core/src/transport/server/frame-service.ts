import type { Clock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";
import type { PeerHost } from "../../peer.ts";
import { malformed, requestKind } from "../wire/layout.ts";
import type { FrameLimits } from "../wire/limits.ts";
import { createFrameServer, type FrameServer } from "./frame-server.ts";
import type { AnswerSink, ServedFrame } from "./served-frame.ts";

/** Options of {@link createFrameService}, as `resolvePeerOptions` and `resolvePeerLimits` complete them. */
export interface FrameServiceOptions {
  readonly clock: Clock;
  /** This node's own name in frames. */
  readonly sender: number;
  readonly limits: FrameLimits & { readonly maxRequests: number };
  readonly closeTimeoutMs: number;
}

/** The answering side of a node over frames: what a transport's server calls with the bytes that came. */
export interface FrameService {
  /** Connects the node that answers, for `PeerPicker.attach`. Throws `INVALID_ARGUMENT` the second time. */
  attach(host: PeerHost): void;
  /**
   * Answers a frame of any kind from an asker that may ask. Returns undefined when nothing more will be sent:
   * all answers went to `sink` already, or the frame has none. Throws `CLOSED`, `OVERLOADED`, `MALFORMED_FRAME`,
   * `FRAME_TOO_LARGE` or `PEER_UNREACHABLE`, for `encodeRefusal`.
   */
  serve(frame: Uint8Array, sink: AnswerSink): ServedFrame | undefined;
  /** Refuses what comes from now on. Resolves when nothing is under way, or `closeTimeoutMs` is over. */
  close(): Promise<void>;
}

/** Serves frames once a host is attached: counts those under way, bounds them, and lets them finish before it closes. */
export function createFrameService(options: FrameServiceOptions): FrameService {
  return new CountingService(options);
}

class CountingService implements FrameService {
  readonly #options: FrameServiceOptions;
  readonly #onIdle: (() => void)[] = [];
  #frames: FrameServer | undefined = undefined;
  #underWay = 0;
  #closed = false;

  constructor(options: FrameServiceOptions) {
    this.#options = options;
  }

  attach(host: PeerHost): void {
    if (this.#frames !== undefined) {
      throw new ParsecError("INVALID_ARGUMENT", "these peers serve another cache already");
    }
    this.#frames = createFrameServer({ ...this.#options, host });
  }

  serve(frame: Uint8Array, sink: AnswerSink): ServedFrame | undefined {
    const kind = requestKind(frame);
    // Still heard while closing: what it cancels is waited for.
    if (kind === "cancellation") {
      this.#frames?.cancellation(frame);
      return undefined;
    }
    const frames = this.#admit();
    switch (kind) {
      case "lookups":
        return this.#lookups(frames, frame, sink);
      case "invalidations":
        sink.sendAll(frames.invalidations(frame));
        return undefined;
      case "entries":
        sink.sendAll(frames.entries(frame));
        return undefined;
      default:
        throw malformed("this is not a frame that asks for something");
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#underWay === 0) return;
    const { clock, closeTimeoutMs } = this.#options;
    await new Promise<void>((resolve) => {
      const cancelTimer = clock.schedule(closeTimeoutMs, resolve);
      this.#onIdle.push(() => {
        cancelTimer();
        resolve();
      });
    });
  }

  #admit(): FrameServer {
    if (this.#closed) throw new ParsecError("CLOSED", "this node is closing");
    if (this.#frames === undefined) throw new ParsecError("CLOSED", "this node has no cache yet");
    if (this.#underWay >= this.#options.limits.maxRequests) {
      throw new ParsecError("OVERLOADED", `${this.#underWay} requests are under way`);
    }
    return this.#frames;
  }

  #lookups(frames: FrameServer, frame: Uint8Array, sink: AnswerSink): ServedFrame | undefined {
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      this.#underWay--;
      if (this.#underWay === 0) for (const idle of this.#onIdle.splice(0)) idle();
    };
    this.#underWay++;
    try {
      const served = frames.lookups(frame, {
        sendAll(bytes) {
          sink.sendAll(bytes);
          end();
        },
        send: (bytes) => sink.send(bytes),
        finish() {
          sink.finish();
          end();
        },
      });
      if (isOver) return undefined;
      return {
        resume: () => served.resume(),
        disconnected() {
          served.disconnected();
          end();
        },
      };
    } catch (error) {
      end();
      throw error;
    }
  }
}
