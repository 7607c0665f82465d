import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { afterEach, expect, it, vi } from "vitest";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code as string);

/** The package itself stands on this one. */
const standIn = new URL("./stand-in-http-peers.ts", import.meta.url);

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

it("has a program on its first screen", () => {
  const lines = readme.split("\n");
  expect(lines.indexOf("```ts")).toBeLessThan(15);
});

it.each(examples.map((code, index) => [index + 1, code] as const))(
  "example %i runs as it stands, but for its port, and prints what it says",
  async (number, code) => {
    for (const variable of ["PARSEC_SELF_URL", "PARSEC_PEER_URLS"]) {
      const value = new RegExp(`// ${variable}=(\\S+)`).exec(code)?.[1];
      if (value !== undefined) vi.stubEnv(variable, value);
    }
    const folder = new URL("../temp/", import.meta.url);
    const file = new URL(`readme-example-${process.pid}-${number}.ts`, folder);
    await mkdir(folder, { recursive: true });
    await writeFile(
      file,
      code
        .replace('"@parsec/core"', '"../src/index.ts"')
        .replace("@parsec/transport-http", standIn.href)
        .replace("listen(8080)", `listen(${await freePort()}, "127.0.0.1")`),
    );
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    try {
      await import(file.href);
    } finally {
      await rm(file);
    }
    const said = [...code.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
    expect(said.length).toBeGreaterThan(0);
    expect(log.mock.calls.map(([value]) => inspect(value))).toEqual(said);
  },
);

it("names every option, counter and error code that there is", async () => {
  const namesIn = async (file: string, pattern: RegExp): Promise<string[]> => {
    const source = await readFile(new URL(`../src/${file}`, import.meta.url), "utf8");
    return [...source.matchAll(pattern)].map(([, name]) => name as string);
  };
  const names = [
    ...(await namesIn("cache-policy.ts", /^ {2}readonly (\w+)\?:/gm)),
    ...(await namesIn("registry/source-origin.ts", /^ {2}readonly (\w+)\?:/gm)),
    ...(await namesIn("group-stats.ts", /^ {2}readonly (\w+):/gm)),
    ...(await namesIn("errors.ts", /^ {2}\| "(\w+)"/gm)),
  ];
  expect(names.length).toBeGreaterThan(40);
  for (const name of names) expect(readme).toMatch(new RegExp(`\`[^\`]*\\b${name}\\b[^\`]*\``));
});
