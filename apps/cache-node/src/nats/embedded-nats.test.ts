import { chmod, readdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { systemNats } from "@parsec/nats-fixtures";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/temporary-folder.ts";
import { startEmbeddedNats } from "./embedded-nats.ts";
import { findNatsServer } from "./find-nats-server.ts";

function canConnect(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

test("runs until it is closed, and keeps the given folder", async ({ skip }) => {
  const { program, missing } = systemNats;
  if (program === undefined) return skip(missing);
  const folder = await temporaryFolder();
  const server = await startEmbeddedNats(program, { folder });
  expect(await canConnect(server.url)).toBe(true);
  await server.close();
  await server.close();
  expect(await canConnect(server.url)).toBe(false);
  expect(await readdir(folder)).toContain("nats.conf");
});

test("a server that does not start fails with its output", async () => {
  const folder = await temporaryFolder();
  const program = join(folder, "nats-server");
  await writeFile(program, "#!/bin/sh\necho 'no room left' >&2; exit 3\n");
  await chmod(program, 0o755);
  await expect(startEmbeddedNats(program)).rejects.toThrow("did not start: no room left");
  await expect(startEmbeddedNats(join(folder, "nothing"))).rejects.toThrow(
    /did not start: .*not found/s,
  );
});

test("is found by its variable or on PATH, otherwise the error contains instructions", async () => {
  const folder = await temporaryFolder();
  const program = join(folder, "nats-server");
  const env = { PATH: folder, XDG_CACHE_HOME: folder };
  const before = await findNatsServer({ ...env, PATH: "/nowhere" }).catch((error) => error);
  await writeFile(program, "#!/bin/sh\n");
  // Not executable yet.
  const still = await findNatsServer(env).catch((error) => error);
  await chmod(program, 0o755);
  expect(await findNatsServer(env)).toBe(program);
  expect(await findNatsServer({ PARSEC_NATS_SERVER: program })).toBe(program);
  await expect(findNatsServer({ ...env, PARSEC_NATS_SERVER: join(folder, "x") })).rejects.toThrow(
    /PARSEC_NATS_SERVER must be the path of a program/,
  );
  for (const outcome of [before, still]) {
    // This machine may have one in a usual folder.
    if (typeof outcome === "string") expect(outcome).toMatch(/nats-server$/);
    else expect(outcome).toMatchObject({ message: expect.stringContaining("apt-get install") });
  }
});
