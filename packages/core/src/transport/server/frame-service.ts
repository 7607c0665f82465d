import type { Clock } from "../../clock.ts";
import { ParsecError } from "../../errors.ts";
import { invalidArgument } from "../../option-checks.ts";
import { malformed, requestKind } from "../wire/layout.ts";
import type { FrameLimits } from "../wire/limits.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";
import { createFrameServer, type FrameServer } from "./frame-server.ts";
import type { AnswerSink, ServedFrame } from "./served-frame.ts";
import type { ServedHost } from "./served-host.ts";

/** Options of {@link createFrameService}, from `resolvePeerOptions` and `resolvePeerLimits`. */
export interface FrameServiceOptions {
  readonly clock: Clock;
  /** This process's own identifier in frames. */
  readonly sender: number;
  readonly limits: FrameLimits & { readonly maxRequests: number };
  readonly closeTimeoutMs: number;
}

/** The server side of a node over frames, which a transport's server calls with the frames it receives. */
export interface FrameService {
  /** Sets the node that answers, for `PeerPicker.attach`. Throws `INVALID_ARGUMENT` when called twice. */
  attach(host: ServedHost): void;
  /**
   * Answers a frame of any kind from an authenticated requester. Returns undefined when nothing more will be sent:
   * all answers were passed to `sink` already, or the frame has none. Throws `CLOSED`, `OVERLOADED`, `MALFORMED_FRAME`,
   * `FRAME_TOO_LARGE` or `PEER_UNREACHABLE`, for `encodeRefusal`.
   */
  serve(frame: Uint8Array, sink: AnswerSink): ServedFrame | undefined;
  /** Graceful shutdown: refuses new frames other than invalidations. Resolves when open ones have ended, at the latest after `closeTimeoutMs`. */
  close(): Promise<void>;
}

/** Creates a {@link FrameService}, which limits concurrent frames by `limits.maxRequests` and lets them finish before it closes. */
export function createFrameService(options: FrameServiceOptions): FrameService {
  return new CountingService(options);
}

class CountingService implements FrameService {
  readonly #options: FrameServiceOptions;
  readonly #onIdle: (() => void)[] = [];
  #frames: FrameServer | undefined = undefined;
  #openFrames = 0;
  #closed = false;

  constructor(options: FrameServiceOptions) {
    this.#options = options;
  }

  attach(host: ServedHost): void {
    if (this.#frames !== undefined) {
      throw invalidArgument("peers must not be shared: they serve another cache already");
    }
    this.#frames = createFrameServer({ ...this.#options, host });
  }

  serve(frame: Uint8Array, sink: AnswerSink): ServedFrame | undefined {
    const kind = requestKind(frame);
    // Accepted while closing, because the lookups that it cancels delay the close.
    if (kind === "cancellation") {
      this.#frames?.cancellation(frame);
      return undefined;
    }
    const frames = this.#admit(kind);
    switch (kind) {
      case "lookups":
        return this.#lookups(frames, frame, sink);
      case "invalidations":
        return this.#control(frames.invalidations(frame), sink);
      case "entries":
        return this.#control(frames.entries(frame), sink);
      default:
        throw malformed("the frame is not a request");
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#openFrames === 0) return;
    const { clock, closeTimeoutMs } = this.#options;
    await new Promise<void>((resolve) => {
      const cancelTimer = clock.schedule(closeTimeoutMs, resolve);
      this.#onIdle.push(() => {
        cancelTimer();
        resolve();
      });
    });
  }

  #admit(kind: ReturnType<typeof requestKind>): FrameServer {
    // Until its groups close, a closing node serves its own callers, so it still applies invalidations.
    if (this.#closed && kind !== "invalidations")
      throw new ParsecError("CLOSED", "this node is closing");
    if (this.#frames === undefined) throw new ParsecError("CLOSED", "this node has no cache yet");
    if (this.#openFrames >= this.#options.limits.maxRequests) {
      throw new ParsecError(
        "OVERLOADED",
        `${this.#openFrames} requests are in progress (limits.maxRequests)`,
      );
    }
    return this.#frames;
  }

  #control(answer: NodeBuffer | Promise<NodeBuffer>, sink: AnswerSink): ServedFrame | undefined {
    if (!(answer instanceof Promise)) {
      sink.sendAll(answer);
      return undefined;
    }
    let isConnected = true;
    this.#openFrames++;
    void answer.then((bytes) => {
      this.#end();
      if (isConnected) sink.sendAll(bytes);
    });
    return {
      resume() {},
      disconnected() {
        isConnected = false;
      },
    };
  }

  #end(): void {
    this.#openFrames--;
    if (this.#openFrames === 0) for (const idle of this.#onIdle.splice(0)) idle();
  }

  #lookups(frames: FrameServer, frame: Uint8Array, sink: AnswerSink): ServedFrame | undefined {
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      this.#end();
    };
    this.#openFrames++;
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
