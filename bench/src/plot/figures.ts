import { chartsOf } from "./charts.ts";
import { drawChart, heightOf } from "./draw-chart.ts";
import type { MeasuredRow } from "./measured-rows.ts";
import { withFigures } from "./readme-section.ts";

export interface Figures {
  /** The text of each file of `docs/images/charts`, by name. */
  readonly charts: ReadonlyMap<string, string>;
  readonly readme: string;
}

/** Draws all charts that `rows` have figures for, and writes the section of the README that shows them. */
export function drawFigures(rows: readonly MeasuredRow[], readme: string): Figures {
  const charts = chartsOf(rows);
  const files = charts.map((chart, index): [string, string] => {
    // Two charts stand side by side: they share one height.
    const neighbour = charts[index % 2 === 0 ? index + 1 : index - 1] ?? chart;
    const height = Math.max(heightOf(chart), heightOf(neighbour));
    return [`${chart.name}.svg`, drawChart(chart, height)];
  });
  return { charts: new Map(files), readme: withFigures(readme, { charts, rows }) };
}
