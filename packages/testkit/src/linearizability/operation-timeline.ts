import type { RegisterOperation } from "./register-operation.ts";

const barWidth = 40;

/** Draws one line for each operation, with times relative to the first and a bar that shows overlaps. */
export function drawTimeline(operations: readonly RegisterOperation[]): string[] {
  const from = Math.min(...operations.map(({ startedAt }) => startedAt));
  const to = Math.max(...operations.map(({ startedAt, endedAt }) => endedAt ?? startedAt));
  const columnOf = (at: number): number =>
    to === from ? 0 : Math.round(((at - from) / (to - from)) * (barWidth - 1));
  const lines = operations.map((operation) => {
    const { startedAt, endedAt } = operation;
    const start = columnOf(startedAt);
    const end = endedAt === undefined ? barWidth : columnOf(endedAt) + 1;
    const bar = `${" ".repeat(start)}${"=".repeat(Math.max(end - start, 1))}`;
    return {
      times: `${(startedAt - from).toFixed(3)} to ${endedAt === undefined ? "?" : (endedAt - from).toFixed(3)}`,
      bar: `|${bar.padEnd(barWidth)}${endedAt === undefined ? ">" : "|"}`,
      text: `${operation.client}: ${formatOperation(operation)}`,
    };
  });
  const width = Math.max(...lines.map(({ times }) => times.length));
  return lines.map(({ times, bar, text }) => `  ${times.padStart(width)} ${bar} ${text}`);
}

function formatOperation(operation: RegisterOperation): string {
  const answer = formatAnswer(operation);
  return operation.kind === "set"
    ? `set ${JSON.stringify(operation.value)}${answer}`
    : `${operation.kind}${answer}`;
}

function formatAnswer(operation: RegisterOperation): string {
  if (operation.endedAt === undefined) return ", no answer";
  if (!operation.ok) return ", refused";
  switch (operation.kind) {
    case "set":
      return ", acknowledged";
    case "get":
      return operation.value === undefined
        ? ", found nothing"
        : `, found ${JSON.stringify(operation.value)}`;
    case "delete":
      if (operation.found === undefined) return ", acknowledged";
      return operation.found ? ", found a value" : ", found nothing";
  }
}
