import { closeSync, fdatasync, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { stat, truncate } from "node:fs/promises";
import { promisify } from "node:util";
import type { Position } from "@parsec/ring";
import { checkHead, encodeHead, encodePosition, takePosition } from "./file-heads.ts";
import { frameOf, readFrames } from "./record-frames.ts";

const magic = "PCLG";
const flush = promisify(fdatasync);

/** Operations of one partition, in the order in which they were carried out. */
export class LogFile {
  readonly #descriptor: number;
  #bytes: number;
  #isDirty = false;
  #isClosed = false;
  #flushing: Promise<void> | undefined = undefined;

  constructor(descriptor: number, bytes: number) {
    this.#descriptor = descriptor;
    this.#bytes = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Hands the operation to the operating system before it returns, so that it outlives this process. Written
   * at once, since nothing may be acknowledged or come after it in between. Throws when the disk is full or broken.
   */
  append(position: Position, operation: Uint8Array): void {
    this.#write(frameOf(encodePosition(position), operation));
  }

  /** Forces what was appended to the disk, so that it outlives a power cut. */
  async sync(): Promise<void> {
    // What comes while the disk is busy needs another round.
    while (this.#flushing !== undefined) await this.#flushing;
    if (!this.#isDirty || this.#isClosed) return;
    this.#isDirty = false;
    this.#flushing = flush(this.#descriptor).finally(() => {
      this.#flushing = undefined;
    });
    await this.#flushing;
  }

  async close(): Promise<void> {
    await this.sync().catch(() => {});
    this.closeNow();
  }

  /** Without waiting for the disk. */
  closeNow(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const close = (): void => closeSync(this.#descriptor);
    // The number must not go to another file while the disk is still at it.
    if (this.#flushing === undefined) close();
    else void this.#flushing.then(close, close);
  }

  #write(frame: Buffer): void {
    let written = 0;
    try {
      while (written < frame.length) {
        written += writeSync(this.#descriptor, frame, written);
      }
    } catch (error) {
      // Half a record would hide all that comes after it.
      if (written > 0) ftruncateSync(this.#descriptor, this.#bytes);
      throw error;
    }
    this.#bytes += frame.length;
    this.#isDirty = true;
  }

  /** Starts a new one, for what comes after `base`. */
  static create(
    path: string,
    head: { readonly partition: number; readonly base: Position },
  ): LogFile {
    const log = new LogFile(openSync(path, "w", 0o600), 0);
    try {
      log.#write(frameOf(encodeHead(magic, head.partition), encodePosition(head.base)));
      return log;
    } catch (error) {
      log.closeNow();
      throw error;
    }
  }

  /** Goes on with one that was read to its end. */
  static reopen(path: string): LogFile {
    const descriptor = openSync(path, "a");
    return new LogFile(descriptor, fstatSync(descriptor).size);
  }
}

/** What a log has said. */
export interface ReplayedLog {
  /** Whether it begins where it should; if not, nothing was taken from it. */
  readonly follows: boolean;
  readonly position: Position;
  /** What was at its end and no whole record, and is there no more. */
  readonly cutBytes: number;
}

/**
 * Reads the operations that follow on `start`, and cuts off the rest: a record that was being written when the
 * machine stopped. Rejects with `MALFORMED_FRAME` for a file that is no log of this partition.
 */
export async function replayLog(
  path: string,
  options: {
    readonly partition: number;
    readonly start: Position;
    readonly apply: (position: Position, operation: Uint8Array) => void;
  },
): Promise<ReplayedLog> {
  const { partition, start, apply } = options;
  let position = start;
  let keptTo = 0;
  for await (const found of readFrames(path)) {
    if (found.kind === "torn") break;
    if (keptTo === 0) {
      const base = takePosition(checkHead(magic, found.payload, partition)).position;
      if (base.epoch !== start.epoch || base.seq !== start.seq) break;
    } else {
      const { position: next, rest } = takePosition(found.payload);
      if (next.seq !== position.seq + 1 || next.epoch < position.epoch) break;
      position = next;
      apply(next, rest);
    }
    keptTo = found.endsAt;
  }
  if (keptTo === 0) return { follows: false, position, cutBytes: 0 };
  const { size } = await stat(path);
  if (keptTo < size) await truncate(path, keptTo);
  return { follows: true, position, cutBytes: size - keptTo };
}
