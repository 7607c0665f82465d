import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A node in a child process. */
export interface ForkedNode {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Resolves at the node's first message, which it sends when it serves; rejects when the process ends first. */
  readonly ready: Promise<void>;
  /** Resolves after the last line of output, with a description such as "exit code 1" or "SIGKILL". */
  readonly ended: Promise<string>;
  /** Calls `ask`, and sends SIGKILL when the process has not ended within `graceMs`. */
  stop(graceMs: number, ask: (child: ChildProcess) => void): Promise<void>;
}

/** Options of `forkNode`. */
export interface ForkNodeOptions {
  /** Name of the node in errors, such as "the node node-1". */
  readonly name: string;
  readonly args?: readonly string[];
  /** Environment variables of this node. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of `PARSEC_*` variables that the node inherits from this process. */
  readonly tunable: ReadonlySet<string>;
  /** Starts it in its own process group, so that Ctrl-C does not reach it. Defaults to false. */
  readonly isDetached?: boolean;
  /** Called with each line of the node's output. */
  readonly onLine: (line: string) => void;
}

/** Forks a node. When this process ends, the IPC channel closes, which tells the node to stop. */
export function forkNode(program: string, options: ForkNodeOptions): ForkedNode {
  const { name, args = [], env, tunable, isDetached = false, onLine } = options;
  const child = fork(program, [...args], {
    env: { PARSEC_LOG_LEVEL: "warn", ...inheritedEnvironment(tunable), ...env },
    execArgv: [],
    detached: isDetached,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on("line", onLine);
  }
  const ended = endOf(child);
  return {
    child,
    pid: child.pid ?? 0,
    ended,
    ready: Promise.race([
      once(child, "message").then(() => {}),
      ended.then((how) => {
        throw new Error(`${name} did not start (${how})`);
      }),
    ]),
    async stop(graceMs, ask) {
      ask(child);
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Without other `PARSEC_*` variables, which may be meant for another node. */
function inheritedEnvironment(tunable: ReadonlySet<string>): Record<string, string | undefined> {
  const entries = Object.entries(process.env);
  return Object.fromEntries(
    entries.filter(([name]) => !name.startsWith("PARSEC_") || tunable.has(name)),
  );
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    // Not "exit", because the last output may still be in the pipes then.
    child.once("close", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}
