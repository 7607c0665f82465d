import cluster from "node:cluster";
import { realpathSync } from "node:fs";
import { sep } from "node:path";
import { defaultSelfUrl } from "../../discovery/default-self-url.ts";

/** The parts of a process that decide with which others it pairs. For tests; the defaults are this process's. */
export interface WorkerProcess {
  /** The path of the main script; undefined for a program given as text. */
  readonly script: string | undefined;
  /** Whether `node:cluster` or PM2 started it, probably with others behind the same address. */
  readonly isOneOfSeveral?: boolean;
  /** Whether the operator chose the address. */
  readonly hasSelfUrl?: boolean;
}

/** The program of a process, without which two programs with one address would share values. */
export function programOf(script: string | undefined): string {
  if (script === undefined) return process.cwd();
  try {
    return realpathSync(script);
  } catch {
    return script;
  }
}

/** Whether `node:cluster` or PM2 started this process. */
export function isOneOfSeveral(): boolean {
  return cluster.isWorker || process.env.NODE_APP_INSTANCE !== undefined;
}

/**
 * Whether a process without the option `workers` looks for others behind its address. A process that is not one of
 * several does not where its main script is a tool in `node_modules`, such as a test runner, whose processes run
 * different code, nor where its address is the default, which programs without configuration have in common.
 */
export function looksForOthers(selfId: string, given: WorkerProcess = thisProcess()): boolean {
  if (given.isOneOfSeveral) return true;
  if (selfId === defaultSelfUrl && !given.hasSelfUrl) return false;
  return !programOf(given.script).split(sep).includes("node_modules");
}

function thisProcess(): WorkerProcess {
  return {
    script: process.argv[1],
    isOneOfSeveral: isOneOfSeveral(),
    hasSelfUrl: (process.env.PARSEC_SELF_URL ?? "").trim() !== "",
  };
}
