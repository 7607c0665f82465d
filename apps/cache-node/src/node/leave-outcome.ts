import type { HandOverReport } from "@parsec/ring";

/** How a node ended: its exit code, and what an operator should know. */
export interface LeaveOutcome {
  /** 1 when data was lost, or partitions were not handed over in time. */
  readonly exitCode: 0 | 1;
  /** Lines for the log, the worst last. */
  readonly notes: readonly LeaveNote[];
}

export interface LeaveNote {
  readonly level: "info" | "error";
  readonly message: string;
  readonly partitions: readonly number[];
  readonly entries: number;
}

export interface LeaveCircumstances {
  /** Whether the data is on the disk of this node, too. */
  readonly isDurable: boolean;
  /** Whether there was another node that could have taken partitions over. */
  readonly hadOthers: boolean;
  /** Whether this node runs alone by its configuration, so that nobody expects its data to survive. */
  readonly isAlone: boolean;
  /** The entries of a partition that have not expired. */
  readonly entriesOf: (partition: number) => number;
}

/** Judges what a node that left still held. */
export function judgeLeave(report: HandOverReport, at: LeaveCircumstances): LeaveOutcome {
  const { isDurable, hadOthers, isAlone, entriesOf } = at;
  const notes: LeaveNote[] = [];
  const note = (
    level: LeaveNote["level"],
    partitions: readonly number[],
    message: string,
  ): void => {
    const entries = partitions.reduce((sum, partition) => sum + entriesOf(partition), 0);
    notes.push({ level, message, partitions, entries });
  };
  const { unmoved, onlyHere } = report;
  if (unmoved.length > 0) {
    const message = hadOthers
      ? "partitions were not handed over in time: nodes that have copies take over"
      : "partitions were not handed over: all other nodes that have copies are leaving as well";
    note("error", unmoved, message);
  }
  const held = isDurable ? onlyHere : onlyHere.filter((partition) => entriesOf(partition) > 0);
  if (held.length > 0 && isDurable) {
    const message = "only the folder of this node has these partitions: start it again";
    note(hadOthers ? "error" : "info", held, message);
  } else if (held.length > 0) {
    const message = isAlone
      ? "the data was in memory only, and ended with this node"
      : "no other node took these partitions: their entries are lost";
    note(isAlone ? "info" : "error", held, message);
  }
  return { exitCode: notes.some(({ level }) => level === "error") ? 1 : 0, notes };
}
