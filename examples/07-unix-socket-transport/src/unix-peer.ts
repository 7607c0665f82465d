import { connect, type Socket } from "node:net";
import { ParsecError } from "@parsec/core";
import {
  type ControlFrame,
  collectAnswer,
  createPeerLink,
  type FrameAnswer,
  type PeerHealthChange,
  type PeerLink,
  readRefusal,
} from "@parsec/core/transport";
import { type Message, noBytes, readMessages, writeMessage } from "./messages.ts";
import { pathOf, type ResolvedUnixOptions } from "./unix-options.ts";

/** Answers come in pieces of at most this size, so that this node never sets more aside on a peer's word. */
export const maxPieceBytes: number = 64 * 1024;

/** Another process of this host. */
export function createUnixPeer(
  peerId: string,
  options: ResolvedUnixOptions & { readonly onChange: (change: PeerHealthChange) => void },
): PeerLink {
  const { clock, health, limits } = options;
  const lookups = new Connection(peerId);
  const control = new Connection(peerId);
  let lastCall = 0;
  const call = async (
    kind: "request" | "ping",
    frame: Omit<ControlFrame, "kind">,
  ): Promise<Buffer> => {
    const exchange = ++lastCall % 2 ** 32;
    const answer = collectAnswer({ ...frame, peerId, clock });
    control.ask({ kind, exchange, body: frame.bytes }, answer);
    return await answer.whole.finally(() => control.cancel(exchange));
  };
  return createPeerLink({
    ...options,
    peerId,
    maxLookupsPerFrame: limits.maxLookupsSent,
    maxQueued: limits.maxQueued,
    maxUnheardFrames: 4,
    maxOpenFrames: 256,
    channel: {
      send(frame) {
        const exchange = frame.frameId;
        lookups.ask({ kind: "request", exchange, body: frame.bytes }, frame);
        return { cancel: () => lookups.cancel(exchange) };
      },
      cancel({ frameId, bytes }) {
        lookups.write({ kind: "request", exchange: frameId, body: bytes });
      },
      control: (frame) => call("request", frame),
      async ping(signal) {
        const timeoutMs = health.pingTimeoutMs;
        await call("ping", { bytes: noBytes, timeoutMs, maxAnswerBytes: 0, signal });
      },
      close() {
        lookups.close();
        control.close();
      },
    },
  });
}

/** A connection to a peer, opened by the first message and again by the next one after it broke. */
class Connection {
  readonly #peerId: string;
  readonly #open: Map<number, FrameAnswer> = new Map();
  #socket: Socket | undefined;

  constructor(peerId: string) {
    this.#peerId = peerId;
  }

  ask(message: Message, answer: FrameAnswer): void {
    this.#open.set(message.exchange, answer);
    this.write(message);
  }

  /** Sends a message that has no answer. */
  write(message: Message): void {
    if (this.#socket === undefined) {
      this.#socket = connect(pathOf(this.#peerId));
      void this.#receive(this.#socket);
    }
    writeMessage(this.#socket, message);
  }

  /** The answer is not needed any more; does nothing when it is complete. */
  cancel(exchange: number): void {
    if (this.#open.delete(exchange)) this.write({ kind: "cancel", exchange, body: noBytes });
  }

  close(): void {
    this.#socket?.destroy();
  }

  async #receive(socket: Socket): Promise<void> {
    let cause: unknown;
    try {
      for await (const message of readMessages(socket, maxPieceBytes)) this.#take(message);
    } catch (error) {
      cause = error;
    }
    socket.destroy();
    this.#socket = undefined;
    const answers = [...this.#open.values()];
    this.#open.clear();
    for (const answer of answers) answer.fail(unreachable(this.#peerId, cause));
  }

  #take({ kind, exchange, body }: Message): void {
    const answer = this.#open.get(exchange);
    if (answer === undefined) return;
    if (kind !== "piece") this.#open.delete(exchange);
    if (kind === "refusal") {
      answer.fail(readRefusal(this.#peerId, body));
      return;
    }
    try {
      answer.receive(body);
      if (kind === "last") answer.finish();
    } catch (error) {
      this.#open.delete(exchange);
      answer.fail(unreachable(this.#peerId, error));
    }
  }
}

function unreachable(peerId: string, cause: unknown): ParsecError {
  const reason = cause instanceof Error ? cause.message : "the connection ended";
  return new ParsecError("PEER_UNREACHABLE", `${peerId} is unreachable: ${reason}`, { cause });
}
