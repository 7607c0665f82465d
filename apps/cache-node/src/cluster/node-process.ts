import { fileURLToPath } from "node:url";
import { closeMessage, forkNode } from "@parsec/program";

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

/**
 * Forks a node, in a process group of its own: a Ctrl-C is for the supervisor alone, which then ends the
 * nodes in good order. A node ends by itself when the supervisor does: the channel between them closes.
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
        // Closes at once instead of handing over to others that are ended, too.
        if (child.connected) child.send(closeMessage);
      }),
  };
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
