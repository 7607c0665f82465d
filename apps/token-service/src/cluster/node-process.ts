import { fileURLToPath } from "node:url";
import { forkNode } from "@parsec/program";

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

/** Forks a node. It ends by itself when this process does: the channel between them closes. */
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

/** A log line of the node as a person reads it; anything else as it is. */
function readableLine(line: string): string {
  try {
    const { msg, reason } = JSON.parse(line) as { msg?: unknown; reason?: unknown };
    return reason === undefined ? String(msg) : `${msg}: ${reason}`;
  } catch {
    return line;
  }
}
