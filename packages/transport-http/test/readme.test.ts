import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { expect, it, vi } from "vitest";
import { listen } from "./http-cluster.ts";

it("the README's example runs as it stands, but for its port", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const example = /```ts\n(import http[\s\S]*?)```/.exec(readme)?.[1] ?? "no example";
  const probe = http.createServer();
  const port = await listen(probe);
  await new Promise((resolve) => probe.close(resolve));

  const folder = new URL("../temp/", import.meta.url);
  const file = new URL(`readme-example-${port}.ts`, folder);
  await mkdir(folder, { recursive: true });
  await writeFile(
    file,
    example.replaceAll("8081", String(port)).replace("@parsec/transport-http", "../src/index.ts"),
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
