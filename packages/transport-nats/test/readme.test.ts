import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { describeOnServers } from "@parsec/nats-fixtures";
import { expect, it, vi } from "vitest";

describeOnServers((server) => {
  it("the README's example runs as it stands, but for its server", async () => {
    const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
    const example = /```ts\n(import \{ createDataSource[\s\S]*?)```/.exec(readme)?.[1] ?? "none";
    const folder = new URL("../temp/", import.meta.url);
    const file = new URL(`readme-example-${process.pid}-${Date.now()}.ts`, folder);
    await mkdir(folder, { recursive: true });
    await writeFile(
      file,
      example
        .replace("nats://127.0.0.1:4222", server.url)
        .replace("@parsec/transport-nats", "../src/index.ts"),
    );
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    try {
      await import(file.href);
      expect(log.mock.calls).toEqual([[{ id: "42", name: "User 42" }, ["node-1"]]]);
    } finally {
      log.mockRestore();
      await rm(file);
    }
  });
});
