import { type Clock, ParsecError } from "@parsec/core";
import type { RingTable } from "../table/ring-table.ts";
import type { FieldReader } from "../wire/field-reader.ts";
import type { Answer, RequestHead } from "../wire/ring-message.ts";
import { CopyReceiver } from "./copy-receiver.ts";
import { isSamePosition } from "./partition-state.ts";
import type { Replica } from "./replica.ts";
import { decodeCopyPiece, decodeDelta, encodePosition } from "./replicate-message.ts";

export interface BackupRequestHandlerOptions {
  readonly replicaOf: (partition: number) => Replica;
  readonly table: () => RingTable | undefined;
  /** Whether this node owns the partition in that epoch and is still recovering its data. */
  readonly isRecovering: (partition: number, partEpoch: number) => boolean;
  /** Whether this node has a term of the partition. */
  readonly owns: (partition: number) => boolean;
  readonly copyIdleMs: number;
  readonly clock: Clock;
}

/** How long a copy is reserved after a request of the owner, even if the table does not list it. */
const reservedMs = 30_000;
/** How long the owner may rely on a confirmed copy; much less than `reservedMs`. */
export const trustedMs = 5000;

/** Serves requests of owners to this node as their backup: operations, copies and positions. */
export class BackupRequestHandler {
  readonly #options: BackupRequestHandlerOptions;
  readonly #receivers: Map<number, CopyReceiver> = new Map();
  /** The highest known epoch of each partition: requests of earlier owners are refused. */
  readonly #fences: Map<number, number> = new Map();
  readonly #reservedAtMs: Map<number, number> = new Map();

  constructor(options: BackupRequestHandlerOptions) {
    this.#options = options;
  }

  /** Resets all state, because epochs of another incarnation are not comparable. */
  newIncarnation(): void {
    this.#fences.clear();
    this.#reservedAtMs.clear();
    this.abandonCopies();
  }

  abandonCopies(): void {
    for (const receiver of this.#receivers.values())
      receiver.abandon("the receiver begins a new session");
  }

  /** True while an owner may rely on this node's copy. */
  isReserved(partition: number): boolean {
    const reservedAtMs = this.#reservedAtMs.get(partition);
    return reservedAtMs !== undefined && this.#options.clock.now() - reservedAtMs < reservedMs;
  }

  /** Reserves the copy for the sender, or returns a refusal when the sender is not the owner any more. */
  refuse(head: RequestHead): Answer | undefined {
    const table = this.#options.table();
    const { partition, partEpoch } = head;
    const known = Math.max(table?.parts[partition]?.epoch ?? 0, this.#fences.get(partition) ?? 0);
    if (table !== undefined && head.incarnation === table.incarnation && partEpoch >= known) {
      this.#fences.set(partition, partEpoch);
      this.#reservedAtMs.set(partition, this.#options.clock.now());
      return undefined;
    }
    return { outcome: "refused", refusal: "stale-epoch", epoch: table?.epoch ?? 0 };
  }

  async replicate(head: RequestHead, reader: FieldReader): Promise<Answer> {
    if (this.#options.owns(head.partition)) return refusedAs(head);
    const { previous, ops } = decodeDelta(reader);
    const replica = this.#options.replicaOf(head.partition);
    const epoch = head.partEpoch;
    for (const [at, op] of ops.entries()) {
      const { holds, position } = replica;
      const seq = previous.seq + at + 1;
      const before = at === 0 ? previous : { epoch, seq: seq - 1 };
      // A repetition, because the answer to the first was lost.
      if (holds && position.epoch === epoch && position.seq >= seq) continue;
      if (!holds || !isSamePosition(position, before)) break;
      try {
        const applied = replica.apply(op, { position: { epoch, seq }, isOwner: false });
        if (applied instanceof Promise) await applied;
      } catch {
        // The application rejected the operation, as it does on the owner, where the caller gets the error.
      }
    }
    return { outcome: "done", body: encodePosition(replica) };
  }

  async copy(head: RequestHead, reader: FieldReader): Promise<Answer> {
    const { partition, partEpoch } = head;
    const { owns, isRecovering, replicaOf, copyIdleMs } = this.#options;
    if (owns(partition) && !isRecovering(partition, partEpoch)) return refusedAs(head);
    let receiver = this.#receivers.get(partition);
    if (receiver === undefined) {
      receiver = new CopyReceiver(replicaOf(partition), copyIdleMs);
      this.#receivers.set(partition, receiver);
    }
    const piece = decodeCopyPiece(reader);
    await receiver.take(String(partEpoch), piece);
    return { outcome: "done", body: new Uint8Array() };
  }

  position(head: RequestHead): Answer {
    return { outcome: "done", body: encodePosition(this.#options.replicaOf(head.partition)) };
  }

  /** Drops an incomplete copy, because this node owns the partition now. */
  abandonCopy(partition: number): void {
    this.#receivers.get(partition)?.abandon("this node owns the partition now");
  }
}

function refusedAs(head: RequestHead): Answer {
  return { outcome: "refused", refusal: "stale-epoch", epoch: head.epoch };
}

export function checkPartition(partition: number, partitions: number): void {
  if (partition < partitions) return;
  throw new ParsecError(
    "MALFORMED_FRAME",
    `partition must be less than ${partitions}, got ${partition}`,
  );
}
