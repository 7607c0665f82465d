import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { inject } from "vitest";

/** A program of ours that a test has started. */
export interface RunningProgram {
  readonly child: ChildProcess;
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts `node.js`, `start.js` or another of the programs. Without `env` it sees only PATH. */
export function runProgram(
  name: string,
  options: {
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    /** As the leader of a process group of its own, as a terminal has it. */
    readonly detached?: boolean;
  } = {},
): RunningProgram {
  const child = spawn(
    process.execPath,
    [join(inject("programs"), name.includes(".") ? name : `${name}.js`), ...(options.args ?? [])],
    {
      env: { PATH: process.env.PATH ?? "", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: options.detached ?? false,
    },
  );
  // A test that failed has not come to the end of its programs.
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("close", () => process.off("exit", kill));
  const chunks = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => {
    chunks.stdout += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    chunks.stderr += chunk.toString();
  });
  return {
    child,
    pid: child.pid ?? 0,
    stdout: () => chunks.stdout,
    stderr: () => chunks.stderr,
    ended: new Promise((resolve) => {
      child.once("close", (code, signal) => resolve(signal ?? code ?? -1));
    }),
    kill: (signal) => void child.kill(signal),
  };
}

/** Whether a process exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
