import {
  closeSync,
  fdatasync,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import type { Position } from "@parsec/ring";
import { encodeHead, encodePosition } from "./file-heads.ts";
import { logMagic } from "./read-log.ts";
import { frameOf } from "./record-frames.ts";

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

  /** Creates a log for operations after `base`: with its head, or not at all. */
  static create(
    path: string,
    head: { readonly partition: number; readonly base: Position },
  ): LogFile {
    const temporary = `${path}.tmp`;
    const log = new LogFile(openSync(temporary, "w", 0o600), 0);
    try {
      log.#write(frameOf(encodeHead(logMagic, head.partition), encodePosition(head.base)));
      renameSync(temporary, path);
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
