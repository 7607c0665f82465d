import type { Row } from "./result.ts";

/** Formats rows as text: each case with its subjects, and every median relative to the first subject's. */
export function tableOf(rows: readonly Row[]): string {
  const lines: string[] = [];
  const width = Math.max(...rows.map((row) => row.subject.length));
  let heading = "";
  let first: Row | undefined;
  for (const row of rows) {
    const title = `${row.suite}: ${row.case} (${row.unit}, median of ${row.runs})`;
    if (title !== heading) {
      lines.push("", title);
      heading = title;
      first = row;
    }
    const ratio = ratioOf(row, first ?? row);
    const range = `${format(row.min)} to ${format(row.max)}`;
    lines.push(
      `  ${row.subject.padEnd(width)}  ${format(row.median).padStart(10)}  ${ratio.padStart(9)}  (${range})`,
    );
  }
  return `${lines.join("\n").trimStart()}\n`;
}

function ratioOf(row: Row, first: Row): string {
  if (row === first) return "1.00 x";
  // A median of 0, such as no origin loads, cannot be a divisor.
  return first.median === 0 ? "" : `${(row.median / first.median).toFixed(2)} x`;
}

function format(figure: number): string {
  return figure.toLocaleString("en-US", {
    maximumFractionDigits: figure < 10 ? 3 : figure < 1000 ? 1 : 0,
  });
}
