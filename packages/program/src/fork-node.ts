import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A node in a process of its own, which its supervisor has forked. */
export interface ForkedNode {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Resolves when the node has sent its first message, that it serves; rejects when it ends first. */
  readonly ready: Promise<void>;
  /** Resolves after the last line, with a description such as "exit code 1" or "SIGKILL". */
  readonly ended: Promise<string>;
  /** Calls `ask`, and sends SIGKILL when the node has not ended within `graceMs`. */
  stop(graceMs: number, ask: (child: ChildProcess) => void): Promise<void>;
}

export interface ForkNodeOptions {
  /** What it is called when it does not start, such as "the node node-1". */
  readonly name: string;
  readonly args?: readonly string[];
  /** Settings of this node. */
  readonly env: Readonly<Record<string, string>>;
  /** Those of our variables that somebody may set in the shell that starts the cluster. */
  readonly tunable: ReadonlySet<string>;
  /** Whether it gets a process group of its own, so that a Ctrl-C does not reach it. Default: false. */
  readonly isDetached?: boolean;
  /** Gets what the node prints, one line at a time. */
  readonly onLine: (line: string) => void;
}

/** Forks the node's program. The node can tell when this process ends: the channel between them closes. */
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

/** Other variables of ours must not leak in: they would be about some other node. */
function inheritedEnvironment(tunable: ReadonlySet<string>): Record<string, string | undefined> {
  const entries = Object.entries(process.env);
  return Object.fromEntries(
    entries.filter(([name]) => !name.startsWith("PARSEC_") || tunable.has(name)),
  );
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    // Not "exit": what the node printed last may still be in the pipes.
    child.once("close", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}
