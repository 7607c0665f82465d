import type { Clock } from "@parsec/core";
import type { Semaphore } from "@parsec/core/authoring";
import type { CopyThrottle } from "../replication/copy-throttle.ts";
import type { RingTable } from "../table/ring-table.ts";
import type { TableChange } from "../table/table-keeper.ts";
import type { HookRunner } from "./hook-runner.ts";

/** Limits that hold for each partition that a node owns. */
export interface TermLimits {
  /** Bytes of one piece of a copy, and of one batch of operations. */
  readonly pieceBytes: number;
  /** Bytes of operations that are kept for backups that lag. */
  readonly maxRetainedBytes: number;
  /** How long a backup may take to answer. */
  readonly replicaTimeoutMs: number;
  /** How long requests under way may take when the partition is handed over. */
  readonly hookTimeoutMs: number;
}

/** How a term reads the table, has it changed, and reaches other nodes. */
export interface TermRing {
  table(): RingTable | undefined;
  /** Writes a change of the table; resolves with whether it was written. */
  propose(change: TableChange, delayMs?: number): Promise<boolean>;
  /** Reads the table again, because another node acts on a newer one. */
  resync(): void;
  send(address: string, request: Uint8Array): Promise<Uint8Array>;
}

/** What all terms of a node share. */
export interface TermContext {
  readonly selfId: string;
  readonly clock: Clock;
  readonly limits: TermLimits;
  readonly ring: TermRing;
  readonly hooks: HookRunner;
  readonly throttle: CopyThrottle;
  /** Limits how many partitions are handed over at once. */
  readonly handOvers: Semaphore;
}
