import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { aptInstall, canUseApt } from "./apt.mjs";
import { canUseDocker, startContainer } from "./docker.mjs";

/** The port found free may be taken before the server binds it. */
const attempts = 3;

/**
 * Finds the server on this machine, else installs it, else runs it in a container.
 *
 * @param {import("./server.d.ts").Server} server
 * @param {{ folder: string, log: (line: string) => void, signal?: AbortSignal }} context
 * @returns {Promise<import("./server.d.ts").RunningServer>} rejects with one line that says what is missing
 */
export async function startServer(server, context) {
  const program = (await server.find()) ?? (await installServer(server, context));
  if (program !== undefined) return startProgram(server, program, context);
  if (server.container !== undefined && (await canUseDocker())) {
    context.log(`Starting ${server.name} in a container (${server.container.image}) ...`);
    return startContainer(server.container);
  }
  throw new Error(
    `${server.name} is not installed, and can be neither by ${server.install ? "its own build" : "apt (root on Debian only)"} ` +
      `nor by Docker (no daemon answers): install it, or set ${server.variable}`,
  );
}

/**
 * Installs the server's program as this machine allows.
 *
 * @param {import("./server.d.ts").Server} server
 * @param {{ log: (line: string) => void, signal?: AbortSignal }} context
 * @returns {Promise<string | undefined>} its path; undefined when it cannot be had, which the log explains
 */
export async function installServer(server, { log, signal }) {
  if (server.install !== undefined) {
    try {
      return await server.install({ log, ...(signal && { signal }) });
    } catch (error) {
      log(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }
  if (!(await canUseApt())) return undefined;
  log(`Installing ${server.name} with apt-get ...`);
  try {
    await aptInstall(server.debianPackages, { ...(signal && { signal }) });
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
  }
  return server.find();
}

/**
 * @param {import("./server.d.ts").Server} server
 * @param {string} program
 * @param {{ folder: string }} context
 */
async function startProgram(server, program, { folder }) {
  for (let attempt = 1; ; attempt++) {
    try {
      const running = await server.start(program, {
        folder: await mkdtemp(join(folder, "server-")),
      });
      return { ...running, program };
    } catch (error) {
      const busy = /address already in use/i.test(String(error));
      if (!busy || attempt === attempts) throw error;
    }
  }
}
