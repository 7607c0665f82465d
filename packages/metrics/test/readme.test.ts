import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { cacheMetrics, groupMetrics } from "../src/metric-catalog.ts";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");

it("lists exactly the existing metrics in the README", () => {
  const listed = [...readme.matchAll(/^\| `(\w+)` \| `((?:group|cache)\.[\w.]+)` \|/gm)].map(
    ([, prometheus, openTelemetry]) => `${prometheus} ${openTelemetry}`,
  );
  const there = [
    ...groupMetrics.map((one) => `${one.prometheusName} group.${one.openTelemetryName}`),
    ...cacheMetrics.map((one) => `${one.prometheusName} cache.${one.openTelemetryName}`),
  ];
  expect(listed.sort()).toEqual(there.sort());
});
