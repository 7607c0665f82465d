import type { Plan } from "./plan.ts";

/** The figure of one subject in one case, over several runs. */
export interface Row {
  readonly suite: string;
  readonly case: string;
  readonly unit: string;
  readonly subject: string;
  /** The versions of everything the subject consists of. */
  readonly versions: string;
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly runs: number;
}

/** Names a figure: case, unit, subject and versions. */
export interface Label {
  readonly case: string;
  readonly unit: string;
  readonly subject: string;
  readonly versions: string;
}

/** Collects the figures of a suite, in any order. */
export class Tally {
  readonly #suite: string;
  readonly #entries: Map<string, { readonly label: Label; readonly figures: number[] }> = new Map();

  constructor(suite: string) {
    this.#suite = suite;
  }

  /** Adds the figure of one run; ignores undefined, which means that it cannot be measured on this machine. */
  add(label: Label, figure: number | undefined): void {
    if (figure === undefined) return;
    const name = JSON.stringify([label.case, label.unit, label.subject]);
    const entry = this.#entries.get(name);
    if (entry === undefined) this.#entries.set(name, { label, figures: [figure] });
    else entry.figures.push(figure);
  }

  /** The rows of all cases, in the order in which they were first added. */
  rows(): Row[] {
    const entries = [...this.#entries.values()];
    const titles = [...new Set(entries.map(({ label }) => titleOf(label)))];
    return titles.flatMap((title) =>
      entries
        .filter(({ label }) => titleOf(label) === title)
        .map(({ label, figures }) => this.#row(label, figures)),
    );
  }

  #row(label: Label, figures: readonly number[]): Row {
    const sorted = [...figures].sort((a, b) => a - b);
    return {
      suite: this.#suite,
      case: label.case,
      unit: label.unit,
      subject: label.subject,
      versions: label.versions,
      min: round(sorted[0] ?? Number.NaN),
      median: round(sorted[sorted.length >> 1] ?? Number.NaN),
      max: round(sorted[sorted.length - 1] ?? Number.NaN),
      runs: sorted.length,
    };
  }
}

/** Adds p50, p99 and the maximum of the figures. */
export function addQuantiles(tally: Tally, label: Label, figures: readonly number[]): void {
  const sorted = [...figures].sort((a, b) => a - b);
  for (const [name, share] of [
    ["p50", 0.5],
    ["p99", 0.99],
    ["max", 1],
  ] as const) {
    const at = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
    tally.add({ ...label, case: `${label.case}, ${name}` }, sorted[at]);
  }
}

/** A program or library that is measured: each call of `run` is one run and returns its figure. */
export interface Subject {
  readonly name: string;
  readonly versions: string;
  run(): Promise<number> | number;
}

/** Measures the subjects of a case in turns, so that a slow minute of the machine affects all of them. */
export async function compare(
  label: { readonly suite: string; readonly case: string; readonly unit: string },
  how: { readonly subjects: readonly Subject[]; readonly plan: Plan },
): Promise<Row[]> {
  const { subjects, plan } = how;
  const tally = new Tally(label.suite);
  if (!plan.smoke) for (const subject of subjects) await subject.run();
  for (let run = 0; run < plan.runs; run++) {
    for (const subject of subjects) {
      const { name, versions } = subject;
      tally.add({ ...label, subject: name, versions }, await subject.run());
    }
  }
  return tally.rows();
}

function titleOf({ case: name, unit }: Label): string {
  return `${name} ${unit}`;
}

function round(figure: number): number {
  return Number(figure.toPrecision(4));
}
