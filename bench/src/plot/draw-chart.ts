import * as Plot from "@observablehq/plot";
import { DOMParser } from "linkedom";
import { type Bar, type Chart, formatFigure } from "./chart.ts";
import { chartCss, chartWidth } from "./chart-style.ts";

const padding = 16;
const headHeight = 62;
const barHeight = 9;
/** From one bar to the next, with the label between them. */
const pitch = 33;
const groupGap = 9;
const axisHeight = 30;
/** The line under the bars for the label of the reference. */
const referenceHeight = 22;
const captionLineHeight = 13.5;

/** The height that `drawChart` needs at least, in pixels. */
export function heightOf(chart: Chart): number {
  const bars = chart.groups.flat().length * pitch + (chart.groups.length - 1) * groupGap;
  const reference = chart.reference === undefined ? 0 : referenceHeight;
  return (
    headHeight + bars + reference + axisHeight + chart.caption.length * captionLineHeight + padding
  );
}

/** Draws a chart as an SVG file that follows the colour scheme of its page. `height` spreads the bars. */
export function drawChart(chart: Chart, height: number = heightOf(chart)): string {
  const bars = placed(chart, height - heightOf(chart));
  const longest = Math.max(...bars.map(({ max }) => max));
  const captionTop = height - padding - chart.caption.length * captionLineHeight;
  const baseline = captionTop - axisHeight;
  const text = (
    lines: readonly { readonly text: string; readonly y: number }[],
    options: Plot.TextOptions,
  ) =>
    Plot.text(lines, {
      text: "text",
      y: "y",
      frameAnchor: "left",
      textAnchor: "start",
      lineAnchor: "bottom",
      ...options,
    });
  const { reference } = chart;
  const svg = Plot.plot({
    document: new DOMParser().parseFromString("<svg/>", "image/svg+xml"),
    className: "chart",
    width: chartWidth,
    height,
    marginTop: headHeight,
    marginBottom: height - baseline,
    marginLeft: padding,
    marginRight: padding,
    ariaLabel: chart.title,
    ariaDescription: altTextOf(chart),
    x: { domain: [0, longest], axis: null },
    y: { type: "identity", axis: null },
    marks: [
      Plot.frame({
        className: "card",
        stroke: null,
        rx: 6,
        insetTop: 0.5 - headHeight,
        insetBottom: 0.5 - (height - baseline),
        insetLeft: 0.5 - padding,
        insetRight: 0.5 - padding,
      }),
      Plot.gridX({ className: "grid", stroke: null, strokeOpacity: null, ticks: 4 }),
      Plot.axisX({
        anchor: "bottom",
        className: "muted",
        fill: "gray",
        fontSize: 11,
        label: null,
        ticks: 4,
        tickSize: 0,
      }),
      // Under the bars, because the outline that keeps grid lines off the letters would cut into them.
      text(
        bars.map(({ label, y }) => ({ text: label, y: y - 4 })),
        { className: "label", fontSize: 12.5 },
      ),
      text(
        bars.map((bar) => ({ text: figureOf(bar, chart), y: bar.y - 4 })),
        {
          className: "label",
          fontSize: 12.5,
          fontWeight: 600,
          fontVariant: "tabular-nums",
          frameAnchor: "right",
          textAnchor: "end",
        },
      ),
      ...(["parsec", "peer"] as const).map((className) =>
        Plot.rect(
          bars.filter(({ isParsec }) => isParsec === (className === "parsec")),
          { className, x1: 0, x2: "value", y1: "y", y2: ({ y }) => y + barHeight, rx: 1.5 },
        ),
      ),
      ...whiskers(bars.filter(({ min, max }) => min < max)),
      Plot.ruleX([0], { className: "axis", stroke: null }),
      ...(reference === undefined
        ? []
        : [
            Plot.ruleX([reference.value], {
              className: "reference",
              stroke: null,
              strokeDasharray: "3 3",
            }),
            Plot.text([reference], {
              className: "muted",
              fontSize: 11,
              text: "label",
              x: "value",
              y: baseline - 5,
              dx: 5,
              textAnchor: "start",
              lineAnchor: "bottom",
            }),
          ]),
      text([{ text: chart.title, y: 30 }], { className: "title", fontSize: 15, fontWeight: 600 }),
      text([{ text: chart.subtitle, y: 48 }], { className: "muted", fontSize: 12 }),
      text(
        chart.caption.map((line, index) => ({
          text: line,
          y: captionTop + (index + 1) * captionLineHeight,
        })),
        { className: "muted", fontSize: 10.5 },
      ),
    ],
  });
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  return `${svg.outerHTML.replace(/<style>.*?<\/style>/s, `<style>${chartCss}</style>`)}\n`;
}

/** A chart as a line of text, for readers who do not see it. */
export function altTextOf({ title, subtitle, unit, groups }: Chart): string {
  const figures = groups.flat().map((bar) => `${bar.label}: ${figureOf(bar, { unit })}`);
  return `${title} (${subtitle}). ${figures.join("; ")}.`;
}

function figureOf({ value, note }: Bar, { unit }: { readonly unit: string }): string {
  return `${formatFigure(value)} ${unit}${note === undefined ? "" : `, ${note}`}`;
}

/** From the lowest to the highest run. */
function whiskers(bars: readonly (Bar & { readonly y: number })[]): Plot.Markish[] {
  const className = "whisker";
  const ends = bars.flatMap(({ min, max, y }) => [
    { x: min, y },
    { x: max, y },
  ]);
  return [
    Plot.ruleY(bars, {
      className,
      stroke: null,
      x1: "min",
      x2: "max",
      y: ({ y }) => y + barHeight / 2,
    }),
    Plot.ruleX(ends, {
      className,
      stroke: null,
      x: "x",
      y1: ({ y }) => y + 1,
      y2: ({ y }) => y + barHeight - 1,
    }),
  ];
}

/** Every bar with the pixel at its top; `spare` pixels are spread between the bars. */
function placed({ groups }: Chart, spare: number): (Bar & { readonly y: number })[] {
  const gaps = groups.flat().length;
  let y = headHeight - barHeight - 2;
  return groups.flatMap((group, index) => {
    if (index > 0) y += groupGap;
    return group.map((bar) => {
      y += pitch + spare / gaps;
      return { ...bar, y };
    });
  });
}
