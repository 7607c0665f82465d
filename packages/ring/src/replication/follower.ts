import type { Clock } from "@parsec/core";
import { decodeAnswer, type RequestHead } from "../wire/ring-message.ts";
import { sendCopy } from "./copy-sender.ts";
import type { CopyThrottle } from "./copy-throttle.ts";
import type { LogFollower, PartitionLog } from "./partition-log.ts";
import type { Position } from "./partition-state.ts";
import type { Replica } from "./replica.ts";
import { decodePosition, encodeDelta } from "./replicate-message.ts";

const firstRetryMs = 20;
const longestRetryMs = 500;
const noBytes = new Uint8Array();

export interface FollowerOptions {
  readonly id: string;
  readonly log: PartitionLog;
  readonly replica: Replica;
  readonly clock: Clock;
  readonly throttle: CopyThrottle;
  readonly pieceBytes: number;
  readonly head: (kind: "replicate" | "copy") => RequestHead;
  readonly send: (request: Uint8Array) => Promise<Uint8Array>;
  /** Called when the backup has confirmed more than before. */
  readonly onProgress: () => void;
  /** Called when the backup knows a newer epoch: another node may own the partition. */
  readonly onOvertaken: () => void;
}

/** Keeps one backup up to date: sends operations in order, one request at a time, or a whole copy when its history differs. */
export class Follower implements LogFollower {
  readonly id: string;
  readonly #options: FollowerOptions;
  #confirmed = -1;
  #needed = -1;
  #busy = false;
  #failures = 0;
  #copies = 0;
  #ended = false;
  #probing = false;
  #heldSinceMs = Number.NEGATIVE_INFINITY;
  #cancelRetry: (() => void) | undefined = undefined;

  constructor(options: FollowerOptions) {
    this.id = options.id;
    this.#options = options;
    options.log.follow(this);
    // Begins with an empty delta, to learn the position of the backup.
    this.#needed = options.log.lastSeq;
    void this.#pump();
  }

  get confirmedSeq(): number {
    return this.#confirmed;
  }

  get neededSeq(): number {
    return this.#needed;
  }

  /** Whether the backup has all operations at this moment. */
  get isCaughtUp(): boolean {
    return this.#confirmed >= 0 && this.#confirmed === this.#options.log.lastSeq;
  }

  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /**
   * When the last confirmed request was sent: from then on the backup keeps its copy for some time, whatever the
   * table says.
   */
  get heldSinceMs(): number {
    return this.#heldSinceMs;
  }

  /** Asks the backup to confirm its copy again. */
  probe(): void {
    this.#probing = true;
    this.advance();
  }

  advance(): void {
    if (!this.#busy && this.#cancelRetry === undefined) void this.#pump();
  }

  end(): void {
    this.#ended = true;
    this.#cancelRetry?.();
    this.#options.log.unfollow(this.id);
  }

  async #pump(): Promise<void> {
    this.#busy = true;
    // In a microtask, so that operations of the same turn share a request.
    await Promise.resolve();
    try {
      while (!this.#ended && this.#hasWork) await this.#step();
      this.#failures = 0;
    } catch {
      if (!this.#ended) this.#retryLater();
    } finally {
      this.#busy = false;
    }
    // An operation may have been appended after the last check.
    if (!this.#ended && this.#cancelRetry === undefined && this.#hasWork) void this.#pump();
  }

  get #hasWork(): boolean {
    return this.#probing || !this.isCaughtUp;
  }

  #retryLater(): void {
    const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#cancelRetry = this.#options.clock.schedule(delayMs, () => {
      this.#cancelRetry = undefined;
      this.advance();
    });
  }

  async #step(): Promise<void> {
    const { log, head, pieceBytes, send } = this.#options;
    const from = this.#confirmed < 0 ? this.#needed : this.#confirmed;
    const ops = this.#confirmed < 0 ? [] : log.after(from, pieceBytes);
    if (ops === undefined) return this.#copy();
    const previous = log.positionAt(from);
    const sentAtMs = this.#options.clock.now();
    this.#probing = false;
    const answer = decodeAnswer(await send(encodeDelta(head("replicate"), { previous, ops })));
    if (answer.outcome === "failed") throw answer.error;
    if (answer.outcome === "refused") {
      if (answer.refusal === "stale-epoch") this.#options.onOvertaken();
      throw new Error(answer.refusal);
    }
    this.#failures = 0;
    const { holds, position } = decodePosition(answer.body);
    const seq = holds ? log.seqOf(position) : undefined;
    if (seq !== undefined && log.after(seq, 0) !== undefined) this.#confirm(seq, sentAtMs);
    else await this.#copy();
  }

  async #copy(): Promise<void> {
    const { log, replica, head, pieceBytes, send, throttle } = this.#options;
    this.#confirmed = -1;
    const position: Position = await throttle.run(async () => {
      // From now on all new operations are kept for this backup.
      this.#needed = log.committedSeq;
      return sendCopy({
        replica,
        head: () => head("copy"),
        copy: ++this.#copies,
        pieceBytes,
        send: (request) => (this.#ended ? Promise.resolve(noBytes) : send(request)),
        throttle: (bytes) => throttle.pace(bytes),
      });
    });
    const seq = log.seqOf(position);
    if (seq === undefined) throw new Error("the copy is of another history");
    // The answer to the next request confirms the copy.
    this.#probing = true;
    this.#confirm(seq, this.#heldSinceMs);
  }

  #confirm(seq: number, sentAtMs: number): void {
    if (this.#ended) return;
    this.#confirmed = seq;
    this.#needed = seq;
    this.#heldSinceMs = sentAtMs;
    this.#options.log.advance();
    this.#options.onProgress();
  }
}
