import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { describeOnServers } from "@parsec/nats-fixtures";
import { expect, it, vi } from "vitest";

/** Runs the n-th program of the README as it stands, but for its server and platform. */
async function run(number: number, url: string): Promise<unknown[][]> {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const program = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)][number]?.[1] ?? "none";
  const folder = new URL("../temp/", import.meta.url);
  const file = new URL(`readme-${number}-${process.pid}-${Date.now()}.ts`, folder);
  await mkdir(folder, { recursive: true });
  await writeFile(
    file,
    program
      .replace("nats://127.0.0.1:4222", url)
      .replace('platform: "shop"', `platform: "shop-${process.pid}-${Date.now()}"`)
      .replace("@parsec/ring", "../src/index.ts"),
  );
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  try {
    await import(file.href);
    return log.mock.calls;
  } finally {
    log.mockRestore();
    await rm(file);
  }
}

describeOnServers((server) => {
  it("the README's first program runs as it stands", async () => {
    const lines = await run(0, server.url);
    // Partitions may come in several calls; in the end this node serves all.
    const served = lines.filter(([what]) => what === "serving");
    expect(served.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(64);
    expect(served.map(([, , how]) => how)).not.toContainEqual({ lost: true });
    expect(lines).toContainEqual(["1", "node-1"]);
  }, 20_000);
});

it("the README's second program runs as it stands", async () => {
  expect(await run(1, "")).toEqual([["two apples"]]);
});
