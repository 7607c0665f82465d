import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findProgram } from "./find-program.mjs";
import { freePort } from "./free-port.mjs";
import { startServerProcess } from "./server-process.mjs";

/** @type {import("./server.d.ts").Server} */
export const redis = {
  name: "Redis",
  variable: "PARSEC_TEST_REDIS_URL",
  debianPackages: ["redis-server"],
  container: {
    image: "redis:7-alpine",
    port: 6379,
    environment: () => ({}),
    command: ["--save", ""],
    readyCommand: ["redis-cli", "ping"],
    url: (port) => `redis://127.0.0.1:${port}`,
  },

  async find() {
    return findProgram("redis-server");
  },

  async start(program, { folder }) {
    const config = join(folder, "redis.conf");
    const password = randomBytes(12).toString("hex");
    const port = await freePort();
    // In a file, not among the arguments, which every user of the machine can list.
    await writeFile(
      config,
      `bind 127.0.0.1\nport ${port}\ndir ${folder}\nsave ""\nrequirepass ${password}\n`,
      { mode: 0o600 },
    );
    const { stop } = await startServerProcess({
      command: program,
      args: [config],
      readyWhen: /[Rr]eady to accept connections/,
      stopSignal: "SIGTERM",
    });
    return { url: `redis://:${password}@127.0.0.1:${port}`, stop };
  },
};
