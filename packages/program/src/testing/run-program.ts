import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { inject } from "vitest";

/** A program started by a test. */
export interface RunningProgram {
  readonly child: ChildProcess;
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit code or the name of the signal. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts a bundled program such as `node` or `start`. Its environment is `env` and PATH. */
export function runProgram(
  name: string,
  options: {
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    /** Starts it in its own process group, as a terminal does. */
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
  // A failed test may leave the program running.
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
