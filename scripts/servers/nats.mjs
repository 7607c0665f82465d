import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { runChildGroup } from "../processes/child-group.mjs";
import { findProgram } from "./find-program.mjs";
import { freePort } from "./free-port.mjs";
import { startServerProcess } from "./server-process.mjs";

const run = promisify(execFile);

/** The release that stands for "the newest": raise it when there is another. */
const newestVersion = "2.15.2";

/** @type {Pick<import("./server.d.ts").Server, "start">} */
const startable = {
  async start(program, { folder }) {
    const file = join(folder, "nats.conf");
    const password = randomBytes(12).toString("hex");
    const port = await freePort();
    // In a file, not among the arguments, which every user of the machine can list.
    await writeFile(
      file,
      `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}" }\n` +
        `authorization { user: parsec, password: "${password}" }\n`,
      { mode: 0o600 },
    );
    const { stop } = await startServerProcess({
      command: program,
      args: ["-c", file],
      readyWhen: /Server is ready/,
      stopSignal: "SIGTERM",
    });
    return { url: `nats://parsec:${password}@127.0.0.1:${port}`, stop };
  },
};

const containerConfig =
  'jetstream {}\\nhttp_port: 8222\\nauthorization { user: parsec, password: "%s" }\\n';

/**
 * @param {string} tag
 * @returns {import("./server.d.ts").ServerContainer}
 */
const container = (tag) => ({
  image: `nats:${tag}`,
  port: 4222,
  environment: (password) => ({ PARSEC_PASSWORD: password }),
  command: [
    ...["sh", "-c"],
    `printf '${containerConfig}' "$PARSEC_PASSWORD" > /tmp/nats.conf && exec nats-server -c /tmp/nats.conf`,
  ],
  readyCommand: ["wget", "-q", "-O", "-", "http://127.0.0.1:8222/healthz"],
  url: (port, password) => `nats://parsec:${password}@127.0.0.1:${port}`,
});

/**
 * The system's version: 2.9.10 on Debian 12, the oldest that we support.
 *
 * @type {import("./server.d.ts").Server}
 */
export const nats = {
  name: "nats-server",
  variable: "PARSEC_TEST_NATS_URL",
  debianPackages: ["nats-server"],
  container: container("2.9-alpine"),
  find: () => findProgram("nats-server", ["/usr/sbin"]),
  ...startable,
};

/**
 * The newest release. Debian does not have it: it is built by Go, once, into the user's cache.
 *
 * @type {import("./server.d.ts").Server}
 */
export const natsNewest = {
  name: `nats-server ${newestVersion}`,
  variable: "PARSEC_TEST_NATS_NEWEST_URL",
  debianPackages: [],
  container: container(`${newestVersion}-alpine`),

  async find() {
    const cached = await findProgram(programName(), [cacheFolder()]);
    if (cached !== undefined) return cached;
    const systems = await nats.find();
    return systems !== undefined && (await isNewest(systems)) ? systems : undefined;
  },

  async install({ log, signal }) {
    const go = await findProgram("go", ["/usr/local/go/bin"]);
    if (go === undefined) return undefined;
    log(`Building nats-server ${newestVersion} with Go, once; this takes a minute ...`);
    await mkdir(cacheFolder(), { recursive: true });
    const folder = await mkdtemp(join(cacheFolder(), "build-"));
    try {
      const { code, output } = await runChildGroup(
        go,
        ["install", `github.com/nats-io/nats-server/v2@v${newestVersion}`],
        { env: { ...process.env, GOBIN: folder }, capture: true, ...(signal && { signal }) },
      );
      if (code !== 0) throw new Error(`go install nats-server: ${output.trim()}`);
      const program = join(cacheFolder(), programName());
      // Atomic: another run may look for it at the same time.
      await rename(join(folder, "nats-server"), program);
      return program;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  ...startable,
};

function programName() {
  return `nats-server-${newestVersion}`;
}

function cacheFolder() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "parsec");
}

/** @param {string} program */
async function isNewest(program) {
  const { stdout } = await run(program, ["--version"]).catch(() => ({ stdout: "" }));
  return stdout.includes(`v${newestVersion}`);
}
