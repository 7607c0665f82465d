import { chmod, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { allServers } from "./all-servers.mjs";

test.for(allServers)(
  "$name starts on a loopback port, as root too, and is gone after stop",
  { timeout: 60_000 },
  async (server, { skip }) => {
    const program = await server.find();
    if (program === undefined) return skip(`${server.name} is not installed`);
    const parent = await mkdtemp(join(tmpdir(), "parsec-server-"));
    await chmod(parent, 0o711);
    try {
      const running = await server.start(program, {
        folder: await mkdtemp(join(parent, "server-")),
      });
      const { hostname, port } = new URL(running.url);
      expect(hostname).toBe("127.0.0.1");
      await expect(reach(Number(port))).resolves.toBe(true);
      await running.stop();
      await running.stop();
      await expect(reach(Number(port))).resolves.toBe(false);
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  },
);

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
