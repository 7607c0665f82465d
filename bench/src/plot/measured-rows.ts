import type { Row } from "../result.ts";
import type { Bar } from "./chart.ts";

/** A row of `bench/results`. */
export interface MeasuredRow extends Row {
  readonly machine: string;
  readonly measuredOn: string;
}

/** Finds figures in results, and remembers which rows a chart was made of. */
export class MeasuredRows {
  readonly #rows: readonly MeasuredRow[];
  readonly #used: Set<MeasuredRow> = new Set();

  constructor(rows: readonly MeasuredRow[]) {
    this.#rows = rows;
  }

  /** The rows that bars were made of so far. */
  get used(): readonly MeasuredRow[] {
    return [...this.#used];
  }

  /**
   * The bar of a subject, which the suites of several transports may have measured: its figure is the median
   * of theirs. Returns an empty array when there are no such rows, so that a chart leaves the subject out.
   */
  bar(
    label: string,
    where: {
      readonly suite: string;
      readonly case: string;
      /** The beginning of the subject. */
      readonly subject: string;
      readonly unit?: string;
      readonly note?: string;
    },
  ): Bar[] {
    const found = this.#rows
      .filter(({ suite }) => suite.startsWith(where.suite))
      .filter(({ case: name }) => name === where.case)
      .filter(({ subject }) => subject.startsWith(where.subject))
      .filter(({ unit }) => where.unit === undefined || unit.startsWith(where.unit))
      .sort((a, b) => a.median - b.median);
    const middle = found[found.length >> 1];
    if (middle === undefined) return [];
    for (const row of found) this.#used.add(row);
    return [
      {
        label,
        value: middle.median,
        min: Math.min(...found.map(({ min }) => min)),
        max: Math.max(...found.map(({ max }) => max)),
        isParsec: where.subject.startsWith("parsec"),
        ...(where.note !== undefined && { note: where.note }),
      },
    ];
  }
}
