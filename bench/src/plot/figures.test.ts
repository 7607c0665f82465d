import { readdir, readFile } from "node:fs/promises";
import { DOMParser } from "linkedom";
import { expect, test } from "vitest";
import { drawFigures } from "./figures.ts";
import type { MeasuredRow } from "./measured-rows.ts";

const root = new URL("../../../", import.meta.url);
const readme = await readFile(new URL("README.md", root), "utf8");
const markers = readme.match(/<!-- .*`pnpm bench:plot`.* -->/g)?.join("\n") ?? "";

const awaited = { suite: "local hit", case: "in memory, awaited", unit: "ns" };
const atOnce = { case: "512 callers at once", unit: "keys/s" };

/** Results of three runs on a machine without NATS and Go. */
const threeRuns = [
  measured({ ...awaited, subject: "parsec get", versions: "parsec 1.2.3" }, [90, 100, 120]),
  measured({ ...awaited, subject: "lru-cache fetch", versions: "lru-cache 11.0.0" }, [50, 50, 50]),
  measured({ ...awaited, subject: "cacheable get", versions: "cacheable 2.0.0" }, [380, 400, 400]),
  measured({ ...atOnce, suite: "remote hit over HTTP", subject: "parsec" }, [900, 1000, 1100]),
  measured({ ...atOnce, suite: "remote hit over HTTP", subject: "Redis GET" }, [100, 110, 120]),
  measured({ ...atOnce, suite: "remote hit over gRPC", subject: "Redis GET" }, [300, 310, 320]),
  measured({ ...atOnce, suite: "remote hit over NATS", subject: "Redis GET" }, [200, 210, 220]),
  measured(
    {
      suite: "cache node under load",
      case: "get, 512 at once",
      unit: "requests/s",
      subject: "Redis",
    },
    [5000, 6000, 7000],
  ),
];

test("draws bars from zero, as long as their figures", () => {
  const svg = draw(threeRuns, "hit.svg");
  const [ours] = widthsOf(svg, "parsec");
  const [lruCache, cacheable] = widthsOf(svg, "peer");
  expect(Number(lruCache) / Number(ours)).toBeCloseTo(50 / 100, 2);
  expect(Number(cacheable) / Number(ours)).toBeCloseTo(400 / 100, 2);
  expect(textsOf(svg)).toEqual(expect.arrayContaining(["100 ns", "50.0 ns", "400 ns"]));
});

test("draws whiskers only where runs differ, and says so in the caption", () => {
  const svg = draw(threeRuns, "hit.svg");
  // Parsec and cacheable have one line and two ends each.
  expect(svg.querySelectorAll(".whisker line")).toHaveLength(6);
  expect(captionOf(svg)).toContain("median of 3 runs; whiskers: lowest and highest");
  const single = draw([measured({ ...awaited, subject: "parsec get" }, [90])], "hit.svg");
  expect(single.querySelector(".whisker")).toBeNull();
  expect(captionOf(single)).toContain("one run");
  expect(captionOf(single)).not.toContain("whiskers");
});

test("names the machine, the day and all versions in the caption", () => {
  expect(captionOf(draw(threeRuns, "hit.svg"))).toBe(
    "Some CPU, 4 cores, Linux 6.1, Node 20.19.0, 2026-01-02; median of 3 runs; whiskers: lowest and highest Parsec 1.2.3, lru-cache 11.0.0, cacheable 2.0.0",
  );
});

test("shows a peer that several suites measured once, by the median of its medians", () => {
  const texts = textsOf(draw(threeRuns, "remote-hit-512-callers.svg"));
  expect(texts.filter((text) => text.startsWith("Redis"))).toEqual(["Redis GET by ioredis"]);
  expect(texts).toContain("210 /s");
});

test("leaves out charts without figures of Parsec, and peers that were not there", () => {
  const { charts, readme: text } = drawFigures(threeRuns, markers);
  expect([...charts.keys()]).toEqual(["hit.svg", "remote-hit-512-callers.svg"]);
  expect(textsOf(draw(threeRuns, "hit.svg")).join()).not.toContain("bentocache");
  expect(text.match(/<img /g)).toHaveLength(2);
  expect(text).toContain("| Redis by ioredis, auto-pipelined | 6,000 |");
  expect(text).not.toContain("Parsec, one node");
});

test("describes each chart and its figures for readers who do not see it", () => {
  expect(drawFigures(threeRuns, markers).readme).toContain(
    'alt="A hit in memory (ns per hit; shorter is better). Parsec get, awaited: 100 ns; ',
  );
});

test("says which lines a README without them lacks", () => {
  expect(() => drawFigures(threeRuns, "# Parsec")).toThrow(
    /^README.md must hold these two lines, in this order:\n<!-- .*\n<!-- .*$/,
  );
});

test.each(await committed())("%s is what `pnpm bench:plot` draws", async (name, text) => {
  const drawn = (await latest()).charts.get(name);
  expect(text === drawn, `docs/images/charts/${name} ${mustRun}`).toBe(true);
});

test("the README and docs/images/charts hold all charts of the latest results", async () => {
  const { charts, readme: text } = await latest();
  const names = (await committed()).map(([name]) => name);
  expect(names, `docs/images/charts ${mustRun}`).toEqual([...charts.keys()].sort());
  expect(readme === text, `README.md ${mustRun}`).toBe(true);
});

test.each(await committed())("%s stands alone: no script, no link, no font file", (_, text) => {
  expect(text).not.toMatch(/<script|<image|<foreignObject|href=|url\(|@import|@font-face/);
});

test.each(await committed())("%s has a light and a dark colour for every class", (_, text) => {
  const style = /<style>(.*)<\/style>/s.exec(text)?.[1] ?? "";
  const [light = "", dark = ""] = style.split("@media (prefers-color-scheme: dark)");
  const classes = new Set([...text.matchAll(/<g [^>]*class="(\w+)"/g)].map(([, name]) => name));
  expect(classes.size).toBeGreaterThan(5);
  for (const name of classes) {
    expect(light, `${name}, light`).toMatch(new RegExp(`\\.${name}\\b`));
    expect(dark, `${name}, dark`).toMatch(new RegExp(`\\.${name}\\b`));
  }
});

const mustRun =
  "differs from what the results in bench/results/latest.json give: run `pnpm bench:plot` and commit what it writes";

async function latest() {
  const text = await readFile(new URL("bench/results/latest.json", root), "utf8");
  return drawFigures((JSON.parse(text) as { readonly rows: readonly MeasuredRow[] }).rows, readme);
}

async function committed(): Promise<[name: string, text: string][]> {
  const folder = new URL("docs/images/charts/", root);
  const names = (await readdir(folder)).sort();
  return await Promise.all(
    names.map(async (name): Promise<[string, string]> => {
      return [name, await readFile(new URL(name, folder), "utf8")];
    }),
  );
}

function draw(rows: readonly MeasuredRow[], name: string) {
  const svg = drawFigures(rows, markers).charts.get(name) ?? "";
  return new DOMParser().parseFromString(svg, "image/svg+xml");
}

type Drawing = ReturnType<typeof draw>;

function widthsOf(svg: Drawing, className: string): string[] {
  return [...svg.querySelectorAll(`.${className} rect`)].map((bar) => bar.getAttribute("width"));
}

function textsOf(svg: Drawing): string[] {
  return [...svg.querySelectorAll("text")].map((text) => text.textContent);
}

/** The last group of texts. */
function captionOf(svg: Drawing): string {
  const texts = [...svg.querySelectorAll("g.muted")].at(-1)?.querySelectorAll("text") ?? [];
  return [...texts].map((text) => text.textContent).join(" ");
}

function measured(
  label: Pick<MeasuredRow, "suite" | "case" | "unit" | "subject"> & { readonly versions?: string },
  figures: readonly number[],
): MeasuredRow {
  return {
    versions: "parsec 1.2.3",
    ...label,
    min: Math.min(...figures),
    median: figures[figures.length >> 1] ?? Number.NaN,
    max: Math.max(...figures),
    runs: figures.length,
    machine: "Some CPU, 4 cores, linux 6.1.0-13-amd64 x64, Node v20.19.0",
    measuredOn: "2026-01-02",
  };
}
