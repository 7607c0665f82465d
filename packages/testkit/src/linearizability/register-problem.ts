import type { RegisterOperation } from "./register-operation.ts";

/** The register holds nothing. */
export const absentValue = 0;
/** Any value that no acknowledged read saw: which of them it is makes no difference. */
const unreadValue = 1;

/**
 * What an acknowledged operation demands of the register: `read` that it holds `value`, `write`
 * nothing (it holds `value` then), `take` that it holds anything (it holds nothing then).
 */
export interface RegisterStep {
  readonly act: "read" | "write" | "take";
  readonly value: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

/** The operations of one key, in the terms of the search. */
export interface RegisterProblem {
  /** Acknowledged operations by their start. Each takes effect exactly once, within its interval. */
  readonly steps: readonly RegisterStep[];
  /** By value, the starts of writes that may have taken effect at any time since, or never; ascending. */
  readonly spares: readonly (readonly number[])[];
  readonly valueCount: number;
}

/** Translates the operations of one key. Refused operations and reads without an answer say nothing. */
export function createRegisterProblem(operations: readonly RegisterOperation[]): RegisterProblem {
  const told = operations.filter(({ ok, endedAt }) => ok || endedAt === undefined);
  const values = new Map<string, number>();
  for (const operation of told) {
    if (operation.kind !== "get" || operation.endedAt === undefined) continue;
    if (operation.value === undefined || values.has(operation.value)) continue;
    values.set(operation.value, unreadValue + 1 + values.size);
  }
  const valueCount = unreadValue + 1 + values.size;
  const idOf = (value: string | undefined): number =>
    value === undefined ? absentValue : (values.get(value) ?? unreadValue);

  const steps: RegisterStep[] = [];
  const spares: number[][] = Array.from({ length: valueCount }, () => []);
  for (const operation of told) {
    const { startedAt, endedAt } = operation;
    if (endedAt !== undefined) {
      steps.push({ ...demandOf(operation, idOf), startedAt, endedAt });
    } else if (operation.kind !== "get") {
      const value = operation.kind === "set" ? idOf(operation.value) : absentValue;
      spares[value]?.push(startedAt);
    }
  }
  steps.sort((one, other) => one.startedAt - other.startedAt);
  for (const starts of spares) starts.sort((one, other) => one - other);
  return { steps, spares, valueCount };
}

function demandOf(
  operation: RegisterOperation,
  idOf: (value: string | undefined) => number,
): Pick<RegisterStep, "act" | "value"> {
  switch (operation.kind) {
    case "get":
      return { act: "read", value: idOf(operation.value) };
    case "set":
      return { act: "write", value: idOf(operation.value) };
    case "delete":
      // One that found nothing changed nothing: it saw what a read sees.
      if (operation.found === false) return { act: "read", value: absentValue };
      return { act: operation.found === true ? "take" : "write", value: absentValue };
  }
}
