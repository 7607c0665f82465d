import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { canUseDocker, startContainer } from "./docker.mjs";
import { postgres } from "./postgres.mjs";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parsec-docker-"));
  vi.stubEnv("PATH", `${folder}${delimiter}${process.env.PATH}`);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

/**
 * A `docker` that records its arguments; the result of `exec` is configurable.
 *
 * @param {{ exec: string }} answers
 */
async function installDocker({ exec }) {
  const path = join(folder, "docker");
  const script = `#!/bin/sh
echo "$*" >> '${join(folder, "calls")}'
case "$1" in
  run) echo c0ffee ;;
  port) echo 127.0.0.1:49153 ;;
  exec) ${exec} ;;
esac
`;
  await writeFile(path, script);
  await chmod(path, 0o755);
}

const calls = async () => (await readFile(join(folder, "calls"), "utf8")).trim().split("\n");

test("a container is published on loopback only, waited for, and removed", async () => {
  await installDocker({ exec: "exit 0" });
  expect(await canUseDocker()).toBe(true);
  const server = await startContainer(postgres.container);
  const { hostname, port, password } = new URL(server.url);
  expect([hostname, port]).toEqual(["127.0.0.1", "49153"]);
  await server.stop();
  const [, run, , exec, remove] = await calls();
  expect(run).toContain("--publish 127.0.0.1::5432");
  expect(run).toContain(`POSTGRES_PASSWORD=${password}`);
  expect(exec).toMatch(/^exec c0ffee pg_isready/);
  expect(remove).toBe("rm --force --volumes c0ffee");
});

test("readiness is polled until the server is ready", async () => {
  const marker = join(folder, "asked");
  await installDocker({ exec: `[ -e '${marker}' ] || { touch '${marker}'; exit 1; }` });
  const server = await startContainer(postgres.container);
  expect((await calls()).filter((call) => call.startsWith("exec"))).toHaveLength(2);
  await server.stop();
});
