import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { expect, it, vi } from "vitest";
import { cacheMetrics, groupMetrics } from "../src/metric-catalog.ts";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code as string);

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

it("has a program on its first screen", () => {
  expect(examples).toHaveLength(3);
  expect(readme.split("\n").indexOf("```ts")).toBeLessThan(15);
});

it.each(examples.map((code, index) => [index + 1, code] as const))(
  "example %i runs as it stands, but for its port, and prints what it says",
  async (number, code) => {
    const folder = new URL("../temp/", import.meta.url);
    const file = new URL(`readme-example-${process.pid}-${number}.ts`, folder);
    await mkdir(folder, { recursive: true });
    await writeFile(
      file,
      code
        .replaceAll(/@parsec\/metrics\/(\w+)/g, "../src/$1/index.ts")
        .replaceAll(/8081|9464/g, String(await freePort())),
    );
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    try {
      await import(file.href);
      const said = [...code.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
      expect(said.length).toBeGreaterThan(0);
      expect(
        log.mock.calls.map(([value]) => (typeof value === "string" ? value : inspect(value))),
      ).toEqual(said);
    } finally {
      log.mockRestore();
      await rm(file);
    }
  },
);

it("lists every metric that there is, and no other", () => {
  const listed = [...readme.matchAll(/^\| `(\w+)` \| `((?:group|cache)\.[\w.]+)` \|/gm)].map(
    ([, prometheus, openTelemetry]) => `${prometheus} ${openTelemetry}`,
  );
  const there = [
    ...groupMetrics.map((one) => `${one.prometheusName} group.${one.openTelemetryName}`),
    ...cacheMetrics.map((one) => `${one.prometheusName} cache.${one.openTelemetryName}`),
  ];
  expect(listed.sort()).toEqual(there.sort());
});
