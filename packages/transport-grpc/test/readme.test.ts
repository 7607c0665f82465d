import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { expect, it, vi } from "vitest";
import { freePorts } from "./free-ports.ts";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");

it("has its first example on its first screen", () => {
  const lines = readme.split("\n");
  expect(lines.indexOf("```ts")).toBeLessThan(15);
});

it("has an example that runs as it stands, but for its ports", async () => {
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "no example";
  const [own = 0, other = 0] = await freePorts(2);
  const folder = new URL("../temp/", import.meta.url);
  const file = new URL(`readme-example-${own}.ts`, folder);
  await mkdir(folder, { recursive: true });
  await writeFile(
    file,
    example
      .replaceAll("50051", String(own))
      .replaceAll("50052", String(other))
      .replace("@parsec/transport-grpc", "../src/index.ts"),
  );
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  try {
    await import(file.href);
    expect(log.mock.calls).toEqual([[{ id: "42", name: "User 42" }]]);
  } finally {
    log.mockRestore();
    await rm(file);
  }
});

it("names every option", async () => {
  const namesBefore = async (file: string, end: string): Promise<string[]> => {
    const source = await readFile(new URL(file, import.meta.url), "utf8");
    const declared = source.slice(0, source.indexOf(end));
    return [...declared.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name]) => name as string);
  };
  const common = "../../core/src/transport/picker/peer-options.ts";
  const names = [
    ...(await namesBefore("../src/grpc-options.ts", "export interface ResolvedGrpcOptions")),
    ...(await namesBefore(common, "export interface ResolvedPeerOptions")),
  ];
  expect(names.length).toBeGreaterThan(25);
  const fields = new Set(["kind", "peerId", "message"]);
  for (const name of names) {
    if (!fields.has(name as string)) expect(readme).toMatch(new RegExp(`\`[^\`]*\\b${name}\\b`));
  }
});
