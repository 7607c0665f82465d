import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
const readyWithinMs = 60_000;

/** Whether a Docker daemon answers. */
export function canUseDocker() {
  return run("docker", ["info"], { timeout: 10_000 }).then(
    () => true,
    () => false,
  );
}

/**
 * Runs a server in a container that listens on a free loopback port and is removed by `stop`.
 *
 * @param {import("./server.d.ts").ServerContainer} container
 * @returns {Promise<import("./server.d.ts").RunningServer>}
 */
export async function startContainer(container) {
  const password = randomBytes(12).toString("hex");
  const variables = Object.entries(container.environment(password));
  const { stdout } = await run("docker", [
    ...["run", "--detach", "--rm", "--publish", `127.0.0.1::${container.port}`],
    ...variables.flatMap(([name, value]) => ["--env", `${name}=${value}`]),
    container.image,
    ...container.command,
  ]);
  const id = stdout.trim();
  const stop = async () => {
    await run("docker", ["rm", "--force", "--volumes", id]);
  };
  try {
    const published = await run("docker", ["port", id, `${container.port}/tcp`]);
    const port = Number(/:(\d+)\s*$/m.exec(published.stdout)?.[1]);
    await untilReady(id, container.readyCommand);
    return { url: container.url(port, password), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * @param {string} id
 * @param {readonly string[]} command
 */
async function untilReady(id, command) {
  const deadline = Date.now() + readyWithinMs;
  for (;;) {
    try {
      await run("docker", ["exec", id, ...command]);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await delay(200);
    }
  }
}
