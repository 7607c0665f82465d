import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

const guide = await readFile(new URL("../../../docs/telemetry.md", import.meta.url), "utf8");
const source = await readFile(new URL("../src/telemetry.ts", import.meta.url), "utf8");

it("docs/telemetry.md names every channel and every field", () => {
  const names = [
    ...[...source.matchAll(/^ {2}"(parsec:[\w-]+)":/gm)].map(([, name]) => name),
    ...[...source.matchAll(/^ {4,8}readonly (\w+):/gm)].map(([, name]) => name),
  ];
  expect(names.length).toBeGreaterThan(25);
  for (const name of names) expect(guide).toContain(`\`${name}\``);
});
