import type { Bar } from "./chart.ts";
import type { MeasuredRow } from "./measured-rows.ts";

/** About as many characters as fit into a chart's width in the size of its caption. */
const lineLength = 70;

/** Machine, day, runs and versions of the rows, in lines that fit a chart. */
export function captionOf(rows: readonly MeasuredRow[], bars: readonly Bar[]): string[] {
  const places = unique(rows.map((row) => `${machineOf(row)}, ${row.measuredOn}`));
  const runs = unique(
    rows.map((row) => (row.runs === 1 ? "one run" : `median of ${row.runs} runs`)),
  );
  const hasWhiskers = bars.some(({ min, max }) => min < max);
  const versions = unique(rows.flatMap((row) => row.versions.split(", ").map(shortVersion)));
  return [
    ...wrap(
      `${places.join("; ")}; ${runs.join(" or ")}${hasWhiskers ? "; whiskers: lowest and highest" : ""}`,
    ),
    ...wrap(versions.join(", ")),
  ];
}

/** The machine as people name it: `AMD EPYC, 2 cores, Linux 6.18, Node 20.20.2`. */
export function machineOf({ machine }: MeasuredRow): string {
  return machine.replace(/\blinux (\d+\.\d+)[^,]*/, "Linux $1").replace(/\bNode v/, "Node ");
}

/** A module of Go without a release has a version of 36 characters, of which the commit says enough. */
function shortVersion(version: string): string {
  return version
    .replace(/ v0\.0\.0-\d{14}-([0-9a-f]{7})\w*/, " at $1")
    .replace(/^parsec/, "Parsec");
}

function wrap(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = `${lines.at(-1)} ${word}`.trim();
    if (line.length <= lineLength) lines[lines.length - 1] = line;
    else lines.push(word);
  }
  return lines;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
