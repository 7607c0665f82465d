import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { closeMessage } from "../node/stop-signals.ts";

/** A node running in a process of its own. */
export interface NodeProcess {
  readonly id: string;
  readonly url: string;
  readonly pid: number;
  /** Resolves when the node serves; rejects when it ends first. */
  readonly ready: Promise<void>;
  /** Resolves with a description such as "exit code 1" or "SIGKILL". */
  readonly ended: Promise<string>;
  /** Ends the node, by force when it takes longer than `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export interface NodeProcessOptions {
  readonly id: string;
  readonly url: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Gets what the node has to say, one line at a time. */
  readonly onLine: (line: string) => void;
}

/** The built node program lies beside this one. */
const nodeProgram = fileURLToPath(new URL("./node.js", import.meta.url));

/** What somebody may set in the shell that starts the cluster. */
const tunable: ReadonlySet<string> = new Set([
  "PARSEC_ACK",
  "PARSEC_INSECURE",
  "PARSEC_LOG_LEVEL",
  "PARSEC_PARTITIONS",
  "PARSEC_REPLICAS",
  "PARSEC_SYNC",
]);

/** Other variables of ours must not leak in: they would be about some other node. */
function inheritedEnvironment(): Record<string, string | undefined> {
  const entries = Object.entries(process.env);
  return Object.fromEntries(
    entries.filter(([name]) => !name.startsWith("PARSEC_") || tunable.has(name)),
  );
}

/**
 * Forks a node, in a process group of its own: a Ctrl-C is for the supervisor alone, which then ends the
 * nodes in good order. A node ends by itself when the supervisor does: the channel between them closes.
 */
export function startNodeProcess(options: NodeProcessOptions): NodeProcess {
  const { id, url, args, env, onLine } = options;
  const child = fork(nodeProgram, [...args], {
    env: { PARSEC_LOG_LEVEL: "warn", ...inheritedEnvironment(), ...env },
    execArgv: [],
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) {
      createInterface({ input: stream }).on("line", (line) => onLine(readableLine(line)));
    }
  }
  const ended = endOf(child);
  return {
    id,
    url,
    pid: child.pid ?? 0,
    ended,
    ready: Promise.race([
      once(child, "message").then(() => {}),
      ended.then((how) => {
        throw new Error(`the node ${id} did not start (${how})`);
      }),
    ]),
    async stop(graceMs) {
      // Closes at once instead of handing over to others that are ended, too.
      if (child.connected) child.send(closeMessage);
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}

/** A log line of the node as a person reads it; anything else as it is. */
function readableLine(line: string): string {
  try {
    const { msg, reason, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const { partition } = rest;
    const where = partition === undefined ? "" : ` (partition ${partition})`;
    return `${reason === undefined ? msg : `${msg}: ${reason}`}${where}`;
  } catch {
    return line;
  }
}
