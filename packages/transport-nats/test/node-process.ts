import { join } from "node:path";
import { type BundledPrograms, bundlePrograms, forkProgram } from "@parsec/program/testing";
import type { NatsPeersOptions, NatsPeersStats } from "../src/index.ts";
import type { NodeCommand } from "./programs/cache-node.ts";

/** Bundles the program that `startNodeProcess` runs. */
export function buildNodeProgram(): Promise<BundledPrograms> {
  return bundlePrograms({
    packageUrl: new URL("..", import.meta.url),
    programs: [new URL("./programs/cache-node.ts", import.meta.url)],
  });
}

/** A node in its own process. */
export interface NodeProcess {
  readonly id: string;
  /** Values as strings, or codes of errors, in the order of the keys. */
  get(keys: readonly string[]): Promise<(string | undefined)[]>;
  invalidate(key: string): Promise<{ readonly acknowledged: string[]; readonly failed: string[] }>;
  stats(): Promise<NatsPeersStats & { readonly loads: string[] }>;
  kill(signal: NodeJS.Signals): void;
  /** Closes its cache; resolves with the exit code when the process has ended by itself. */
  close(): Promise<number | NodeJS.Signals>;
}

/** Starts a node and waits until it has joined. */
export async function startNodeProcess(
  { folder }: BundledPrograms,
  options: Omit<NatsPeersOptions, "onWarning" | "clock" | "random" | "connection">,
): Promise<NodeProcess> {
  const program = forkProgram(join(folder, "cache-node.js"), {
    env: { PARSEC_TEST_NODE: JSON.stringify(options) },
  });
  const perform = (command: NodeCommand): Promise<unknown> => program.call(command);
  await program.ready;
  return {
    id: options.nodeId,
    get: (keys) => perform({ kind: "get", keys }) as ReturnType<NodeProcess["get"]>,
    invalidate: (key) =>
      perform({ kind: "invalidate", key }) as ReturnType<NodeProcess["invalidate"]>,
    stats: () => perform({ kind: "stats" }) as ReturnType<NodeProcess["stats"]>,
    kill: program.kill,
    async close() {
      await perform({ kind: "close" });
      return program.ended;
    },
  };
}
