import { machineOf } from "./caption.ts";
import { type Chart, formatFigure } from "./chart.ts";
import { chartWidth } from "./chart-style.ts";
import { altTextOf } from "./draw-chart.ts";
import { type MeasuredRow, MeasuredRows } from "./measured-rows.ts";

const start = "<!-- Written by `pnpm bench:plot` from bench/results/latest.json. -->";
const end = "<!-- End of what `pnpm bench:plot` writes. -->";

/** The README with the charts, and with the figures that have no chart, between its two markers. */
export function withFigures(
  readme: string,
  { charts, rows }: { readonly charts: readonly Chart[]; readonly rows: readonly MeasuredRow[] },
): string {
  const from = readme.indexOf(start);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) {
    throw new Error(`README.md must hold these two lines, in this order:\n${start}\n${end}`);
  }
  const images = charts.map(
    (chart) =>
      `<img src="docs/images/charts/${chart.name}.svg" width="${chartWidth}" alt="${escaped(altTextOf(chart))}">`,
  );
  const section = [start, '<p align="center">', ...images, "</p>", "", ...cacheNodeTable(rows)];
  return `${readme.slice(0, from)}${section.join("\n")}\n${readme.slice(to)}`;
}

/** Requests per second of the cache node beside its peers; nothing where the suite was not run. */
function cacheNodeTable(rows: readonly MeasuredRow[]): string[] {
  const measured = new MeasuredRows(rows);
  const figure = (subject: string, operation: string): string => {
    const suite = "cache node under load";
    const bar = measured.bar("", {
      suite,
      case: `${operation}, 512 at once`,
      subject,
      unit: "requests/s",
    })[0];
    return bar === undefined ? "" : formatFigure(bar.value);
  };
  const subjects = {
    "Parsec, through any of three nodes": "parsec, three nodes",
    "Parsec, one node": "parsec, one node",
    "node:http with a Map": "bare node:http",
    "Redis by ioredis, auto-pipelined": "Redis",
  };
  const lines = Object.entries(subjects)
    .map(([label, subject]) => [label, figure(subject, "get"), figure(subject, "set")])
    .filter(([, get]) => get !== "")
    .map((cells) => `| ${cells.join(" | ")} |`);
  const [row] = measured.used;
  if (row === undefined) return [];
  return [
    `The [cache node](apps/cache-node), 512 callers (${machineOf(row)}, ${row.measuredOn}):`,
    "",
    "| | gets per second | sets per second |",
    "|---|--:|--:|",
    ...lines,
    "",
  ];
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
}
