import { fileURLToPath } from "node:url";
import { forkNode } from "@parsec/program";

/** A node in a child process. */
export interface NodeProcess {
  readonly url: string;
  readonly pid: number;
  /** Resolves when the node is ready; rejects when the process ends first. */
  readonly ready: Promise<void>;
  /** Resolves with a description such as "exit code 1" or "SIGKILL". */
  readonly ended: Promise<string>;
  kill(signal: NodeJS.Signals): void;
  /** Sends SIGTERM, and SIGKILL when the process has not ended within `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export interface NodeProcessOptions {
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  /** Called with each line of the node's output, log entries as readable text. */
  readonly onLine: (line: string) => void;
}

/** The built node program is in the same folder as this one. */
const nodeProgram = fileURLToPath(new URL("./node.js", import.meta.url));

/** Variables that nodes inherit from the shell that starts the cluster. */
const tunable: ReadonlySet<string> = new Set([
  "PARSEC_DATABASE_POOL",
  "PARSEC_DATABASE_TIMEOUT_MS",
  "PARSEC_EXCHANGE_TIMEOUT_MS",
  "PARSEC_LOG_LEVEL",
  "PARSEC_PEER_SILENCE_MS",
  "PARSEC_TOKEN_TTL_MS",
  "PARSEC_USERS_TTL_MS",
]);

/** Forks a node. It stops when this process ends, because the IPC channel closes. */
export function startNodeProcess({ url, env, onLine }: NodeProcessOptions): NodeProcess {
  const node = forkNode(nodeProgram, {
    name: `the node at ${url}`,
    env,
    tunable,
    onLine: (line) => onLine(readableLine(line)),
  });
  return {
    url,
    pid: node.pid,
    ended: node.ended,
    ready: node.ready,
    kill: (signal) => void node.child.kill(signal),
    stop: (graceMs) => node.stop(graceMs, (child) => child.kill("SIGTERM")),
  };
}

/** The readable text of a log line; any other line unchanged. */
function readableLine(line: string): string {
  try {
    const { msg, reason } = JSON.parse(line) as { msg?: unknown; reason?: unknown };
    return reason === undefined ? String(msg) : `${msg}: ${reason}`;
  } catch {
    return line;
  }
}
