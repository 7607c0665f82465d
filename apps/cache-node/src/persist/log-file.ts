import { closeSync, fdatasync, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { stat, truncate } from "node:fs/promises";
import { promisify } from "node:util";
import type { Position } from "@parsec/ring";
import { checkHead, encodeHead, encodePosition, takePosition } from "./file-heads.ts";
import { frameOf, readFrames } from "./record-frames.ts";

const magic = "PCLG";
const flush = promisify(fdatasync);

/** A log file with the operations of one partition, in the order in which they were applied. */
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
   * Writes the operation to the operating system before it returns, so that it survives this process. Synchronous,
   * because no other operation may be applied or acknowledged in between. Throws when the write fails.
   */
  append(position: Position, operation: Uint8Array): void {
    this.#write(frameOf(encodePosition(position), operation));
  }

  /** Syncs the appended operations to the disk, so that they survive a power failure. */
  async sync(): Promise<void> {
    // Operations that are appended meanwhile need another sync.
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

  /** Closes the file without a sync. */
  closeNow(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const close = (): void => closeSync(this.#descriptor);
    // The file descriptor must not be reused while a sync is running.
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
      // An incomplete record would hide all records after it.
      if (written > 0) ftruncateSync(this.#descriptor, this.#bytes);
      throw error;
    }
    this.#bytes += frame.length;
    this.#isDirty = true;
  }

  /** Creates a log for operations after `base`. */
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

  /** Continues a log that was read to its end. */
  static reopen(path: string): LogFile {
    const descriptor = openSync(path, "a");
    return new LogFile(descriptor, fstatSync(descriptor).size);
  }
}

/** The result of reading a log. */
export interface ReplayedLog {
  /** Whether it begins at the expected position; if not, none of its operations were used. */
  readonly follows: boolean;
  readonly position: Position;
  /** Bytes of an incomplete record that were cut off at its end. */
  readonly cutBytes: number;
}

/**
 * Reads the operations that follow `start`, and cuts off an incomplete record at the end, which was being written when
 * the machine stopped. Rejects with `MALFORMED_FRAME` for a file that is not a log of this partition.
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
