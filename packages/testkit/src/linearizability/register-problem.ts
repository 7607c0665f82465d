import type { RegisterOperation } from "./register-operation.ts";

/** The value of an empty register. */
export const absentValue = 0;
/** Stands for all values that no acknowledged read returned. */
const unreadValue = 1;

/**
 * An acknowledged operation in terms of the register: `read` requires that it holds `value`, `write` sets
 * `value`, `take` requires any value and empties it.
 */
export interface RegisterStep {
  readonly act: "read" | "write" | "take";
  readonly value: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

/** The operations of one key as input of the search. */
export interface RegisterProblem {
  /** Acknowledged operations sorted by start. Each takes effect exactly once, within its interval. */
  readonly steps: readonly RegisterStep[];
  /** Starts of writes without an answer, by value, ascending. Each takes effect at any time after its start, or never. */
  readonly spares: readonly (readonly number[])[];
  readonly valueCount: number;
}

/** Creates the problem of one key. Refused operations and reads without an answer are ignored. */
export function createRegisterProblem(operations: readonly RegisterOperation[]): RegisterProblem {
  const relevant = operations.filter(({ ok, endedAt }) => ok || endedAt === undefined);
  const values = new Map<string, number>();
  for (const operation of relevant) {
    if (operation.kind !== "get" || operation.endedAt === undefined) continue;
    if (operation.value === undefined || values.has(operation.value)) continue;
    values.set(operation.value, unreadValue + 1 + values.size);
  }
  const valueCount = unreadValue + 1 + values.size;
  const idOf = (value: string | undefined): number =>
    value === undefined ? absentValue : (values.get(value) ?? unreadValue);

  const steps: RegisterStep[] = [];
  const spares: number[][] = Array.from({ length: valueCount }, () => []);
  for (const operation of relevant) {
    const { startedAt, endedAt } = operation;
    if (endedAt !== undefined) {
      steps.push({ ...requirementOf(operation, idOf), startedAt, endedAt });
    } else if (operation.kind !== "get") {
      const value = operation.kind === "set" ? idOf(operation.value) : absentValue;
      spares[value]?.push(startedAt);
    }
  }
  steps.sort((one, other) => one.startedAt - other.startedAt);
  for (const starts of spares) starts.sort((one, other) => one - other);
  return { steps, spares, valueCount };
}

function requirementOf(
  operation: RegisterOperation,
  idOf: (value: string | undefined) => number,
): Pick<RegisterStep, "act" | "value"> {
  switch (operation.kind) {
    case "get":
      return { act: "read", value: idOf(operation.value) };
    case "set":
      return { act: "write", value: idOf(operation.value) };
    case "delete":
      // A removal that found nothing is a read of the absent value.
      if (operation.found === false) return { act: "read", value: absentValue };
      return { act: operation.found === true ? "take" : "write", value: absentValue };
  }
}
