import { join } from "node:path";
import { type BundledPrograms, bundlePrograms, forkProgram } from "@parsec/program/testing";
import type { RingOptions, RingState } from "../src/index.ts";
import type { NodeCommand } from "./programs/ring-node.ts";

/** Bundles the program that `startNodeProcess` runs. */
export function buildNodeProgram(): Promise<BundledPrograms> {
  return bundlePrograms({
    packageUrl: new URL("..", import.meta.url),
    programs: [new URL("./programs/ring-node.ts", import.meta.url)],
  });
}

/** A ring node in its own process. */
export interface NodeProcess {
  readonly id: string;
  /** The events of the ring, as JSON. */
  readonly events: readonly string[];
  state(): Promise<RingState>;
  kill(signal: NodeJS.Signals): void;
  /** Hands all partitions over; resolves when the process has ended by itself. */
  leave(): Promise<void>;
  readonly ended: Promise<unknown>;
}

/** Starts a node and waits until it has joined. */
export async function startNodeProcess(
  { folder }: BundledPrograms,
  options: Omit<RingOptions, "state" | "connection" | "coordinator" | "link" | "clock" | "random">,
): Promise<NodeProcess> {
  const events: string[] = [];
  const program = forkProgram(join(folder, "ring-node.js"), {
    env: { PARSEC_TEST_NODE: JSON.stringify(options) },
    onEvent: (event) => void events.push(JSON.stringify(event)),
  });
  const perform = (command: NodeCommand): Promise<unknown> => program.call(command);
  await program.ready;
  return {
    id: options.node,
    events,
    state: () => perform("state") as Promise<RingState>,
    kill: program.kill,
    async leave() {
      await perform("leave");
      await program.ended;
    },
    ended: program.ended,
  };
}
