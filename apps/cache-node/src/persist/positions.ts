import type { Position } from "@parsec/ring";

/** The position of a partition that has never had an operation. */
export const startPosition: Position = { epoch: 0, seq: 0 };

/** Negative when `left` is behind `right`. */
export function comparePositions(left: Position, right: Position): number {
  return left.epoch - right.epoch || left.seq - right.seq;
}

export function laterOf(left: Position, right: Position): Position {
  return comparePositions(left, right) < 0 ? right : left;
}

/** Formats a position for people: epoch and number of the last operation. */
export function describePosition({ epoch, seq }: Position): string {
  return `${epoch}/${seq}`;
}
