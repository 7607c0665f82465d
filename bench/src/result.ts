/** One line of `bench/results/latest.json`: a subject's figure in a case, over several runs. */
export interface Row {
  readonly suite: string;
  readonly case: string;
  readonly subject: string;
  readonly unit: string;
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly runs: number;
}

/** One thing that is measured: each call is a run and returns its figure. */
export interface Subject {
  readonly name: string;
  run(): Promise<number> | number;
  close?(): Promise<void> | void;
}

/** Lets the subjects of a case take turns, so that a slow minute of the machine hits all alike. */
export async function compare(
  label: { readonly suite: string; readonly case: string; readonly unit: string },
  how: { readonly subjects: readonly Subject[]; readonly runs: number },
): Promise<Row[]> {
  const figures = how.subjects.map((): number[] => []);
  for (const subject of how.subjects) await subject.run();
  for (let run = 0; run < how.runs; run++) {
    for (const [index, subject] of how.subjects.entries()) {
      figures[index]?.push(await subject.run());
    }
  }
  return how.subjects.map((subject, index) => toRow(label, subject.name, figures[index] ?? []));
}

function toRow(
  label: { readonly suite: string; readonly case: string; readonly unit: string },
  subject: string,
  figures: readonly number[],
): Row {
  const sorted = [...figures].sort((a, b) => a - b);
  return {
    ...label,
    subject,
    min: round(sorted[0] ?? Number.NaN),
    median: round(sorted[sorted.length >> 1] ?? Number.NaN),
    max: round(sorted[sorted.length - 1] ?? Number.NaN),
    runs: sorted.length,
  };
}

function round(figure: number): number {
  return Number(figure.toPrecision(4));
}
