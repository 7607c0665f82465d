import { spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { killGroup, livingMembers } from "./process-group.mjs";

/** How long a child may take to end after it was asked to. */
const graceMs = 10_000;
/** How long what it started may outlive it; esbuild's service, for one, needs a moment. */
const lingerMs = 3_000;

/**
 * Runs a command in a process group of its own, so that everything it starts can be ended with it:
 * when `signal` fires, and when the command itself has ended but left processes behind.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, capture?: boolean, shell?: boolean, interactive?: boolean, signal?: AbortSignal }} [options]
 *   `capture` keeps the output instead of showing it; `interactive` lets the command read the keyboard
 * @returns {Promise<{ code: number, output: string, leftBehind: string[] }>}
 *   `leftBehind` has the command lines of what outlived it and was ended; rejects when the command cannot be started
 */
export async function runChildGroup(command, args, options = {}) {
  const { env = process.env, capture = false, shell = false, interactive = false } = options;
  const { cwd, signal } = options;
  const child = spawn(command, [...args], {
    cwd,
    env,
    shell,
    detached: true,
    stdio: capture
      ? ["ignore", "pipe", "pipe"]
      : [interactive ? "inherit" : "ignore", "inherit", "inherit"],
  });
  /** @type {Buffer[]} */
  const chunks = [];
  child.stdout?.on("data", (chunk) => chunks.push(chunk));
  child.stderr?.on("data", (chunk) => chunks.push(chunk));

  const closed = new Promise((resolve) => child.once("close", resolve));
  const { pid } = child;
  /** @type {NodeJS.Timeout | undefined} */
  let lastResort;
  const interrupt = () => {
    if (pid === undefined) return;
    killGroup(pid, "SIGINT");
    lastResort = setTimeout(() => killGroup(pid, "SIGKILL"), graceMs);
  };
  if (signal?.aborted) interrupt();
  signal?.addEventListener("abort", interrupt, { once: true });

  try {
    // Not "close": a process left behind may hold the pipes open forever.
    const code = await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (exitCode) => resolve(exitCode ?? 1));
    });
    const leftBehind = pid === undefined ? [] : await endGroup(pid);
    // The last output may still be in the pipes.
    await Promise.race([closed, delay(1_000, undefined, { ref: false })]);
    return { code, output: Buffer.concat(chunks).toString("utf8"), leftBehind };
  } finally {
    clearTimeout(lastResort);
    signal?.removeEventListener("abort", interrupt);
  }
}

/**
 * @param {number} groupId
 * @returns {Promise<string[]>} what had to be ended
 */
async function endGroup(groupId) {
  const deadline = performance.now() + lingerMs;
  let members = livingMembers(groupId);
  while (members.length > 0 && performance.now() < deadline) {
    await delay(50);
    members = livingMembers(groupId);
  }
  if (members.length > 0) killGroup(groupId, "SIGKILL");
  return members;
}
