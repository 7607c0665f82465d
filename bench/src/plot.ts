import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { drawFigures } from "./plot/figures.ts";
import type { MeasuredRow } from "./plot/measured-rows.ts";

/* Draws `bench/results/latest.json` into `docs/images/charts` and the README: `pnpm bench:plot`. */

const root = new URL("../../", import.meta.url);
const folder = new URL("docs/images/charts/", root);
const readmeFile = new URL("README.md", root);

const results = await readFile(new URL("bench/results/latest.json", root), "utf8");
const { rows } = JSON.parse(results) as { readonly rows: readonly MeasuredRow[] };
const { charts, readme } = drawFigures(rows, await readFile(readmeFile, "utf8"));
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
for (const [name, svg] of charts) await writeFile(new URL(name, folder), svg);
await writeFile(readmeFile, readme);
console.log(
  `${charts.size} charts written to ${fileURLToPath(folder)}, and the figures of README.md`,
);
