import { spawn } from "node:child_process";

const readyWithinMs = 60_000;
const stopWithinMs = 5_000;

/**
 * @typedef {object} ServerProcessOptions
 * @property {string} command
 * @property {readonly string[]} args
 * @property {RegExp} readyWhen matched against what the server prints
 * @property {NodeJS.Signals} stopSignal the one that ends it fastest; its data is thrown away anyway
 * @property {{ uid?: number, gid?: number }} [user]
 */

/**
 * Starts a server and resolves when it says that it is ready. It runs in a process group of its own,
 * so that Ctrl-C in the terminal reaches the tests first and the server is stopped after them.
 *
 * @param {ServerProcessOptions} options
 * @returns {Promise<{ stop: () => Promise<void> }>} rejects, with the server's last words, when it does not come up
 */
export async function startServerProcess({ command, args, readyWhen, stopSignal, user = {} }) {
  const child = spawn(command, [...args], {
    ...user,
    cwd: "/",
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = new Promise((resolve) => child.once("close", resolve));
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(stopSignal);
    const timer = setTimeout(() => child.kill("SIGKILL"), stopWithinMs);
    await exited;
    clearTimeout(timer);
  };
  // Should this process end without stopping its servers, they must not outlive it.
  process.once("exit", () => child.kill("SIGKILL"));

  let lastWords = "";
  let timer;
  try {
    await new Promise((resolve, reject) => {
      const hear = (/** @type {Buffer} */ chunk) => {
        lastWords = (lastWords + chunk.toString("utf8")).slice(-4_000);
        if (readyWhen.test(lastWords)) resolve(undefined);
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      child.once("error", reject);
      child.once("close", (code) =>
        reject(new Error(`${command} ended with ${code}:\n${lastWords.trim()}`)),
      );
      timer = setTimeout(
        () => reject(new Error(`${command} was not ready in time:\n${lastWords.trim()}`)),
        readyWithinMs,
      );
    });
  } catch (error) {
    if (child.pid !== undefined) await stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return { stop };
}
