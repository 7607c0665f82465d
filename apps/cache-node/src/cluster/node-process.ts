import { fileURLToPath } from "node:url";
import { closeMessage, forkNode } from "@parsec/program";

/** A node in its own process. */
export interface NodeProcess {
  readonly id: string;
  readonly url: string;
  readonly pid: number;
  /** Resolves when the node is ready; rejects when it ends first. */
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
  /** Called with each log line of the node. */
  readonly onLine: (line: string) => void;
}

/** The built program of a node, beside this one. */
const nodeProgram = fileURLToPath(new URL("./node.js", import.meta.url));

/** Environment variables of the shell that are passed on to the nodes. */
const tunable: ReadonlySet<string> = new Set([
  "PARSEC_ACK",
  "PARSEC_INSECURE",
  "PARSEC_LEAVE_SECONDS",
  "PARSEC_LOG_LEVEL",
  "PARSEC_PARTITIONS",
  "PARSEC_REPLICAS",
  "PARSEC_SYNC",
]);

/**
 * Forks a node in its own process group: Ctrl-C reaches only the supervisor, which then stops the nodes gracefully. A
 * node ends by itself when the supervisor does, because the channel between them closes.
 */
export function startNodeProcess(options: NodeProcessOptions): NodeProcess {
  const { id, url, args, env, onLine } = options;
  const node = forkNode(nodeProgram, {
    name: `the node ${id}`,
    args,
    env,
    tunable,
    isDetached: true,
    onLine: (line) => onLine(readableLine(line)),
  });
  return {
    id,
    url,
    pid: node.pid,
    ended: node.ended,
    ready: node.ready,
    stop: (graceMs) =>
      node.stop(graceMs, (child) => {
        // Closes at once, because the other nodes are stopped, too.
        if (child.connected) child.send(closeMessage);
      }),
  };
}

/** Formats a JSON log line of a node for a terminal; other lines stay as they are. */
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
