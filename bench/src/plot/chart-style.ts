/** The width that lets two charts stand side by side in a README on GitHub, and one on a phone. */
export const chartWidth = 410;

/**
 * One blue for Parsec, one grey for everything else: they differ in lightness, so they can be told apart
 * without colour vision. A browser gives an embedded SVG the colour scheme of its page.
 */
export const chartCss = `
text { font-family: -apple-system, BlinkMacSystemFont, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
.card { fill: #ffffff; stroke: #d1d9e0; }
.title { fill: #1f2328; }
.label { fill: #1f2328; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; paint-order: stroke; }
.muted { fill: #59636e; }
.grid { stroke: #d1d9e0; stroke-opacity: 0.7; }
.axis { stroke: #818b98; }
.parsec { fill: #0969da; }
.peer { fill: #afb8c1; }
.whisker, .reference { stroke: #1f2328; }
@media (prefers-color-scheme: dark) {
  .card { fill: #0d1117; stroke: #3d444d; }
  .title { fill: #f0f6fc; }
  .label { fill: #e6edf3; stroke: #0d1117; }
  .muted { fill: #9198a1; }
  .grid { stroke: #3d444d; }
  .axis { stroke: #9198a1; }
  .parsec { fill: #4493f8; }
  .peer { fill: #59636e; }
  .whisker, .reference { stroke: #f0f6fc; }
}
`;
