import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { benchFolder } from "../bench-folder.ts";

/** Options of a program; `core` pins it to one core, so that a figure is a figure per core. */
export interface Pinned {
  readonly core?: number | undefined;
  readonly nodeArgs?: readonly string[];
  readonly args?: readonly string[];
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs one of `src/programs` to its end and resolves with its output. Rejects when it fails. */
export function runProgram(name: string, how: Pinned = {}): Promise<string> {
  return outputOf(startProgram(name, how), name);
}

/** Starts one of `src/programs`; its standard output is a pipe. */
export function startProgram(name: string, how: Pinned = {}): ChildProcess {
  const file = fileURLToPath(new URL(`dist/programs/${name}.js`, benchFolder));
  const variables = Object.entries(how.env ?? {}).map(([name, value]) => `${name}=${value}`);
  const set = variables.length > 0 ? ["env", ...variables] : [];
  const command = [...set, process.execPath, ...(how.nodeArgs ?? []), file, ...(how.args ?? [])];
  return startPinned(command, how.core);
}

/** Starts a command, pinned to one core if the system has `taskset`. */
export function startPinned(command: readonly string[], core: number | undefined): ChildProcess {
  const pin =
    core !== undefined && existsSync("/usr/bin/taskset") ? ["taskset", "-c", String(core)] : [];
  const [program = "", ...args] = [...pin, ...command];
  return spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
}

/** The complete output of a child. Rejects when it exits with an error. */
function outputOf(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${name} ended with ${code}`));
    });
  });
}

/** The first line that a child prints, such as its URL. */
export function firstLineOf(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const end = output.indexOf("\n");
      if (end >= 0) resolve(output.slice(0, end));
    });
    child.once("error", reject);
    child.once("close", (code) =>
      reject(new Error(`${name} ended with ${code} before it was ready`)),
    );
  });
}

/** Sends a signal to a child process and waits until it has ended. */
export async function endProgram(
  child: ChildProcess,
  signal: NodeJS.Signals = "SIGTERM",
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once("close", resolve));
  child.kill(signal);
  await closed;
}
