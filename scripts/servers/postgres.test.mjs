import { chmod, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { postgres } from "./postgres.mjs";

test("starts on a loopback port, as root too, and is gone after stop", async ({ skip }) => {
  const program = await postgres.find();
  if (program === undefined) return skip("PostgreSQL is not installed");
  const parent = await mkdtemp(join(tmpdir(), "parsec-postgres-"));
  await chmod(parent, 0o711);
  try {
    const server = await postgres.start(program, {
      folder: await mkdtemp(join(parent, "server-")),
    });
    const { hostname, port } = new URL(server.url);
    expect(hostname).toBe("127.0.0.1");
    await expect(reach(Number(port))).resolves.toBe(true);
    await server.stop();
    await server.stop();
    await expect(reach(Number(port))).resolves.toBe(false);
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}, 60_000);

/** @param {number} port */
function reach(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
