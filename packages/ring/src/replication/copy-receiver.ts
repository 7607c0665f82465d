import { ParsecError } from "@parsec/core";
import type { Replica } from "./replica.ts";
import type { CopyPiece } from "./replicate-message.ts";

interface Incoming {
  readonly sender: string;
  readonly copy: number;
  next: number;
  push(bytes: Uint8Array | undefined): Promise<void>;
  fail(error: ParsecError): void;
  readonly restored: Promise<void>;
}

/** Receives the pieces of a copy of one partition and streams them to the application. */
export class CopyReceiver {
  readonly #replica: Replica;
  readonly #idleMs: number;
  #incoming: Incoming | undefined = undefined;
  #idle: NodeJS.Timeout | undefined = undefined;

  constructor(replica: Replica, idleMs: number) {
    this.#replica = replica;
    this.#idleMs = idleMs;
  }

  /** Resolves when the piece was consumed; for the last one, when the application has restored the copy. */
  async take(sender: string, piece: CopyPiece): Promise<void> {
    if (piece.index === 0) this.#begin(sender, piece);
    const incoming = this.#incoming;
    if (
      incoming?.sender !== sender ||
      incoming.copy !== piece.copy ||
      incoming.next !== piece.index
    ) {
      throw new ParsecError("PEER_UNREACHABLE", "unexpected piece of a copy");
    }
    incoming.next++;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.abandon("the sender fell silent"), this.#idleMs);
    this.#idle.unref();
    // Copied: the application may keep the bytes.
    if (piece.bytes.length > 0) {
      await Promise.race([incoming.push(Uint8Array.from(piece.bytes)), incoming.restored]);
    }
    if (!piece.last) return;
    void incoming.push(undefined);
    await incoming.restored;
    if (this.#incoming === incoming) this.#close();
  }

  /** Ends an incomplete copy. */
  abandon(reason: string): void {
    const incoming = this.#incoming;
    this.#close();
    incoming?.fail(new ParsecError("PEER_UNREACHABLE", `a copy was not completed: ${reason}`));
  }

  #close(): void {
    clearTimeout(this.#idle);
    this.#incoming = undefined;
  }

  #begin(sender: string, piece: CopyPiece): void {
    this.abandon("another copy began");
    const channel = new PieceChannel();
    const restored = this.#replica.restore(channel.read(), piece.position);
    restored.catch(() => {});
    this.#incoming = {
      sender,
      copy: piece.copy,
      next: 0,
      restored,
      push: (bytes) => channel.push(bytes),
      fail: (error) => channel.fail(error),
    };
  }
}

/** A queue between the sender of pieces and the application that reads them. */
class PieceChannel {
  #queue: { readonly bytes: Uint8Array | undefined; readonly taken: () => void }[] = [];
  #error: ParsecError | undefined = undefined;
  #wake: (() => void) | undefined = undefined;

  /** Resolves when the piece was read. */
  push(bytes: Uint8Array | undefined): Promise<void> {
    return new Promise((resolve) => {
      this.#queue.push({ bytes, taken: resolve });
      this.#wake?.();
    });
  }

  fail(error: ParsecError): void {
    this.#error = error;
    this.#wake?.();
  }

  async *read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error;
      const next = this.#queue.shift();
      if (next !== undefined) {
        next.taken();
        if (next.bytes === undefined) return;
        yield next.bytes;
        continue;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
