import type { Position } from "@parsec/ring";
import { checkHead, takePosition } from "./file-heads.ts";
import { comparePositions, describePosition } from "./positions.ts";
import { type FoundFrame, readFrames } from "./record-frames.ts";

/** Identifies a log, in the head of the file. */
export const logMagic = "PCLG";

/** The result of reading a log: the position after its last record, and how it ends. */
export interface ReadLog {
  readonly position: Position;
  readonly records: number;
  /** Bytes of an incomplete record. */
  readonly tornBytes: number;
  /** The offset after its last record. */
  readonly endsAt: number;
  /**
   * `whole`: it ends with a record. `torn`: an incomplete record follows, which was being written when the machine
   * stopped. `unrelated`: it begins at another position, and none of its records were used. `headless`: it ends within
   * its head. `damaged`: see `reason`.
   */
  readonly end: "whole" | "torn" | "unrelated" | "headless" | "damaged";
  readonly reason: string;
}

/** Reads the operations of a log that follow `start`. Never rejects: what cannot be read is damage. */
export async function readLog(
  path: string,
  options: {
    readonly partition: number;
    readonly start: Position;
    readonly apply: (operation: Uint8Array, position: Position) => void;
  },
): Promise<ReadLog> {
  const { partition, start, apply } = options;
  let position = start;
  let endsAt = 0;
  let records = 0;
  let tornBytes = 0;
  const ended = (end: ReadLog["end"], reason = ""): ReadLog => {
    return { position, records, endsAt, end, reason, tornBytes };
  };
  try {
    for await (const found of readFrames(path)) {
      if (found.kind === "damaged") return ended("damaged", found.reason);
      if (found.kind === "torn") {
        tornBytes = found.bytes;
        return endsAt === 0 ? ended("headless", "its head is incomplete") : ended("torn");
      }
      if (endsAt === 0) {
        const base = takePosition(checkHead(logMagic, found.payload, partition)).position;
        if (comparePositions(base, start) !== 0) {
          const positions = [base, start].map(describePosition).join(" instead of ");
          return ended("unrelated", `it begins after position ${positions}`);
        }
      } else {
        const { position: next, operation } = recordIn(found);
        if (next.seq !== position.seq + 1 || next.epoch < position.epoch) {
          const positions = [position, next].map(describePosition).join(" is followed by ");
          return ended("damaged", `its records are not in sequence: ${positions}`);
        }
        apply(operation, next);
        position = next;
        records++;
      }
      endsAt = found.endsAt;
    }
  } catch (error) {
    return ended("damaged", error instanceof Error ? error.message : String(error));
  }
  return endsAt === 0 ? ended("headless", "it is empty") : ended("whole");
}

function recordIn({ payload }: Extract<FoundFrame, { kind: "frame" }>): {
  readonly position: Position;
  readonly operation: Uint8Array;
} {
  const { position, rest: operation } = takePosition(payload);
  return { position, operation };
}
