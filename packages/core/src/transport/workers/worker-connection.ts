import { connect, type Socket } from "node:net";
import { ParsecError } from "../../errors.ts";
import type { FrameAnswer } from "../link/collected-answer.ts";
import { readRefusal } from "../wire/refusal.ts";
import { MessageReader, noBytes, type WorkerMessage, writeMessage } from "./worker-messages.ts";

/** Answers arrive in pieces of at most this size. */
export const maxPieceBytes: number = 64 * 1024;

/** Options of {@link WorkerConnection}. */
export interface WorkerConnectionOptions {
  /** Id of the worker, for errors. */
  readonly id: string;
  readonly path: string;
  /** The name of this process's own socket. */
  readonly ownName: string;
  /** The worker notifies this process of invalidations from now on. */
  readonly onWelcome: () => void;
  /** The connection failed or ended; `code` is that of the system error, such as ECONNREFUSED. */
  readonly onClose: (code: string | undefined) => void;
}

/** A connection to another worker, which opens with a hello. Keeps the process alive only while answers are awaited. */
export class WorkerConnection {
  readonly #options: WorkerConnectionOptions;
  readonly #socket: Socket;
  readonly #open: Map<number, FrameAnswer> = new Map();
  readonly #reader: MessageReader = new MessageReader(maxPieceBytes);
  #error: (Error & { readonly code?: string }) | undefined = undefined;
  #welcomed = false;
  #closed = false;

  constructor(options: WorkerConnectionOptions) {
    this.#options = options;
    this.#socket = connect(options.path);
    this.#socket.on("error", (error) => {
      this.#error = error;
    });
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on("close", () => this.#ended());
    const body = Buffer.from(options.ownName, "latin1");
    this.write({ kind: "hello", exchange: 0, body });
  }

  ask(message: WorkerMessage, answer: FrameAnswer): void {
    if (this.#closed) {
      queueMicrotask(() => answer.fail(this.#unreachable(this.#error)));
      return;
    }
    this.#open.set(message.exchange, answer);
    this.#socket.ref();
    this.write(message);
  }

  /** Sends a message that has no answer. */
  write(message: WorkerMessage): void {
    if (!this.#closed) writeMessage(this.#socket, message);
  }

  /** The answer is not needed any more; does nothing when it is complete. */
  cancel(exchange: number): void {
    if (this.#open.delete(exchange)) this.write({ kind: "cancel", exchange, body: noBytes });
    this.#unrefIfIdle();
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#reader.push(chunk)) this.#take(message);
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
    this.#unrefIfIdle();
  }

  #take({ kind, exchange, body }: WorkerMessage): void {
    if (kind === "welcome") {
      this.#welcomed = true;
      this.#options.onWelcome();
      return;
    }
    const answer = this.#open.get(exchange);
    if (answer === undefined) return;
    if (kind !== "piece") this.#open.delete(exchange);
    if (kind === "refusal") {
      answer.fail(readRefusal(this.#options.id, body));
      return;
    }
    try {
      answer.receive(body);
      if (kind === "last") answer.finish();
    } catch (error) {
      this.#open.delete(exchange);
      answer.fail(this.#unreachable(error));
    }
  }

  #ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    // First, so that a process that has ended is not looked up again by the callers of its open exchanges.
    this.#options.onClose(this.#error?.code);
    const answers = [...this.#open.values()];
    this.#open.clear();
    for (const answer of answers) answer.fail(this.#unreachable(this.#error));
  }

  #unrefIfIdle(): void {
    // While joining, callers wait for the welcome.
    if (this.#welcomed && this.#open.size === 0) this.#socket.unref();
  }

  #unreachable(cause: unknown): ParsecError {
    const reason = cause instanceof Error ? cause.message : "the connection ended";
    const message = `${this.#options.id} is unreachable: ${reason}`;
    return new ParsecError("PEER_UNREACHABLE", message, { cause });
  }
}
