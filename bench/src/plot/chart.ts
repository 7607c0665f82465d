/** One question, answered by one horizontal bar per subject. */
export interface Chart {
  /** The name of the file, without its ending. */
  readonly name: string;
  readonly title: string;
  /** The meaning of a bar's length, with its unit and the better direction. */
  readonly subtitle: string;
  /** Follows each figure, such as `ns`. */
  readonly unit: string;
  readonly groups: readonly (readonly Bar[])[];
  /** A value that the bars are read against. */
  readonly reference?: { readonly value: number; readonly label: string };
  /** Machine, day, runs and versions, as lines of text. */
  readonly caption: readonly string[];
}

export interface Bar {
  readonly label: string;
  /** The median of all runs. */
  readonly value: number;
  /** The lowest and the highest run; equal to `value` for a single run. */
  readonly min: number;
  readonly max: number;
  /** Parsec's own bars have the colour, all others are grey. */
  readonly isParsec: boolean;
  /** Follows the figure, such as `1 fetch`. */
  readonly note?: string;
}

/** Three digits at most, because no run repeats more of them. */
export function formatFigure(figure: number): string {
  const digits = figure < 10 ? 2 : 3;
  return figure.toLocaleString("en-US", {
    minimumSignificantDigits: digits,
    maximumSignificantDigits: digits,
  });
}
