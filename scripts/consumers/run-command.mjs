import { execFile } from "node:child_process";

/** A consumer that hangs is a failure. */
const timeoutMs = 300_000;

/** Settings of this workspace, which pnpm hands to what it runs; where packages come from stays. */
const ownSetting = /^p?npm_config_(?!.*(?:registry|auth|cache|ca|cafile|proxy|userconfig)$)/i;

/** @returns {NodeJS.ProcessEnv} the environment of a shell in which no workspace's script runs */
function outsideEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ownSetting.test(name)));
}

/**
 * Runs a command and resolves to what it printed. Rejects with the output when it fails.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string, signal: AbortSignal, env?: Record<string, string>, allowFailure?: boolean }} options
 * @returns {Promise<string>}
 */
export function runCommand(command, args, { cwd, signal, env = {}, allowFailure = false }) {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      [...args],
      {
        cwd,
        signal,
        timeout: timeoutMs,
        maxBuffer: 64 * 2 ** 20,
        env: { ...outsideEnvironment(), ...env },
      },
      (error, stdout, stderr) => {
        const output = `${stdout}${stderr}`;
        if (error === null || (allowFailure && !signal.aborted)) resolve(output);
        else reject(new Error(`${[command, ...args].join(" ")}\n${output || error.message}`));
      },
    );
  });
}
