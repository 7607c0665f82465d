import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A node running in a process of its own. */
export interface NodeProcess {
  readonly url: string;
  readonly pid: number;
  /** Resolves when the node serves; rejects when it ends first. */
  readonly ready: Promise<void>;
  /** Resolves with a description such as "exit code 1" or "SIGKILL". */
  readonly ended: Promise<string>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL when that does not help within `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export interface NodeProcessOptions {
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  /** Gets what the node has to say, one line at a time. */
  readonly onLine: (line: string) => void;
}

/** The built node program lies beside this one. */
const nodeProgram = fileURLToPath(new URL("./node.js", import.meta.url));

/** What somebody may tune from the shell that starts the cluster. */
const tunable: ReadonlySet<string> = new Set([
  "PARSEC_DATABASE_POOL",
  "PARSEC_DATABASE_TIMEOUT_MS",
  "PARSEC_EXCHANGE_TIMEOUT_MS",
  "PARSEC_LOG_LEVEL",
  "PARSEC_TOKEN_TTL_MS",
  "PARSEC_USERS_TTL_MS",
]);

/** Other variables of ours must not leak in: they would be about some other node. */
function inheritedEnvironment(): Record<string, string | undefined> {
  const entries = Object.entries(process.env);
  return Object.fromEntries(
    entries.filter(([name]) => !name.startsWith("PARSEC_") || tunable.has(name)),
  );
}

/** Forks a node. It ends by itself when this process does: the channel between them closes. */
export function startNodeProcess(options: NodeProcessOptions): NodeProcess {
  const child = fork(nodeProgram, [], {
    env: { PARSEC_LOG_LEVEL: "warn", ...inheritedEnvironment(), ...options.env },
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) {
      createInterface({ input: stream }).on("line", (line) => options.onLine(readableLine(line)));
    }
  }
  const ended = endOf(child);
  return {
    url: options.url,
    pid: child.pid ?? 0,
    ended,
    ready: Promise.race([
      once(child, "message").then(() => {}),
      ended.then((how) => {
        throw new Error(`the node at ${options.url} did not start (${how})`);
      }),
    ]),
    kill(signal) {
      child.kill(signal);
    },
    async stop(graceMs) {
      child.kill("SIGTERM");
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
    const { msg, reason } = JSON.parse(line) as { msg?: unknown; reason?: unknown };
    return reason === undefined ? String(msg) : `${msg}: ${reason}`;
  } catch {
    return line;
  }
}
